"""Deletes documents and restores them from the trash."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import timedelta
from uuid import UUID

from partywall.core.db.driver_errors import violations
from partywall.core.db.scoped_access import ScopedReader
from partywall.core.db.scoped_query import Value
from partywall.core.db.session import AsyncSession
from partywall.core.events.log import publish
from partywall.core.jobs.queue import enqueue, enqueue_once
from partywall.core.pagination import Cursors
from partywall.core.preconditions import require_match
from partywall.core.rights import require
from partywall.core.tenancy import Principal, SharedScope
from partywall.features.documents.exceptions import VIOLATIONS, DocumentNotFoundError, NotInTrashError
from partywall.features.documents.extraction import ZIP
from partywall.features.documents.jobs import (
    PURGE_DOCUMENT,
    RELEASE_BLOBS,
    PurgeDocument,
    ReleaseBlobs,
    enqueue_deletion_of_entries,
    enqueue_reading,
)
from partywall.features.documents.list_repository import KEYSET
from partywall.features.documents.reader import DocumentJson, page_json, position_of, window
from partywall.features.documents.repository import DocumentWriter
from partywall.features.documents.rights import DOCUMENT_PURGE, DOCUMENT_READ, DOCUMENT_WRITE
from partywall.features.documents.schemas import TrashQuery
from partywall.features.documents.shown import event, shown
from partywall.features.documents.trash_repository import TrashWriter, trash_page


@dataclass(frozen=True, slots=True)
class Trash:
    """`period`: how long deleted documents are kept; zero for a deletion that is final at once."""

    session: AsyncSession
    scope: SharedScope
    period: timedelta

    async def delete(self, id_: UUID, if_match: str | None, *, permanent: bool = False) -> None:
        """Delete at once; for good if `permanent`, then also a document in the trash. Jobs remove rows and file.

        With an archive, a job deletes the documents of its files.

        Raises MissingRightError, DocumentNotFoundError and PreconditionFailedError.
        """
        require(self.scope, DOCUMENT_PURGE if permanent else DOCUMENT_WRITE)
        writer = TrashWriter(self.session, self.scope)
        alive = await DocumentWriter(self.session, self.scope).lock_to_delete(id_)
        trashed = await writer.lock(id_) if alive is None and permanent else None
        found = alive if alive is not None else trashed
        if found is None:
            raise DocumentNotFoundError
        require_match(if_match, found.revision)
        kept_for = timedelta() if permanent else self.period
        if alive is None:
            await writer.purge(id_)
        else:
            await writer.delete(id_, kept_for)
            publish(
                self.session, self.scope, event("document.deleted", id_, found.title, found.external_id, found.revision)
            )
        await enqueue_purge(self.session, self.scope.project_id, id_, None if kept_for else found.original_key)
        if alive is not None and alive.media_type == ZIP:
            await enqueue_deletion_of_entries(self.session, self.scope.project_id, id_)

    async def restore(self, id_: UUID) -> DocumentJson:
        """Take it out of the trash, and have it indexed again. Raises NotInTrashError or ExternalIdTakenError.

        An archive is read again, and that restores the documents of its files.
        """
        require(self.scope, DOCUMENT_WRITE)
        writer = TrashWriter(self.session, self.scope)
        found = await writer.lock(id_)
        if found is None:
            raise NotInTrashError
        with violations(VIOLATIONS):
            revision = await writer.restore(id_)
        documents = DocumentWriter(self.session, self.scope)
        if found.media_type == ZIP and found.original_key is not None:
            await documents.mark_unread(id_)
        for unread in await documents.await_index([id_]):
            await enqueue_reading(self.session, self.scope.project_id, unread)
        publish(self.session, self.scope, event("document.restored", id_, found.title, found.external_id, revision))
        return await shown(self.session, self.scope, id_)


async def enqueue_purge(session: AsyncSession, project_id: UUID, id_: UUID, blob: str | None) -> None:
    """Have the rows of a deleted document removed, and its file if there is a `blob`."""
    worker = str(Principal.service(project_id))
    await enqueue_once(
        session, PURGE_DOCUMENT, PurgeDocument(project_id=project_id, principal=worker, document_id=id_), id_
    )
    if blob is not None:
        await enqueue(session, RELEASE_BLOBS, ReleaseBlobs(project_id=project_id, principal=worker, keys=[blob]))


async def list_trash(reader: ScopedReader, project_id: UUID, query: TrashQuery, cursors: Cursors) -> bytes:
    query.refuse_both()
    listing = ("trash", project_id)
    values: dict[str, Value] = {"after_value": None, "after_id": None, **window(query)}
    if query.cursor is not None:
        position = await position_of(reader, project_id, cursors, listing, query.cursor, 2)
        values |= KEYSET.parse("-created_at", position)  # also an instant and an id
    read = reader.row if query.offset is None else reader.long_row
    scope, row = await read(trash_page(query.offset is not None), project_id, values)
    require(scope, DOCUMENT_READ)
    cursor = cursors.encode(listing, [row["last_value"], row["last_id"]]) if row["more"] else None
    return page_json(row["items"], cursor, row["total"])
