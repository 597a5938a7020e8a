"""Changes documents, for one caller and in one transaction."""

from __future__ import annotations

from collections.abc import Collection
from dataclasses import dataclass, replace
from typing import cast
from uuid import UUID

from partywall.core.db.driver_errors import violations
from partywall.core.db.scoped_access import ScopedWriter
from partywall.core.db.session import AsyncReadSession, AsyncSession
from partywall.core.events.log import publish
from partywall.core.preconditions import require_match
from partywall.core.rights import require
from partywall.core.tenancy import ProjectScope, SharedScope
from partywall.features.documents import creation
from partywall.features.documents.creation import digest, may_write
from partywall.features.documents.exceptions import VIOLATIONS, DocumentNotFoundError, VersionNotFoundError
from partywall.features.documents.jobs import enqueue_reading
from partywall.features.documents.models import Document
from partywall.features.documents.patch import DocumentFields, patched, replaced
from partywall.features.documents.reader import DocumentJson
from partywall.features.documents.repository import DocumentChange, DocumentRepository, DocumentWriter
from partywall.features.documents.rights import DOCUMENT_READ
from partywall.features.documents.schemas import DocumentCreate, DocumentPatch, DocumentReplace, Status
from partywall.features.documents.shown import event, shown

_TEXT = frozenset({"title", "content"})


@dataclass(frozen=True, slots=True)
class LockedDocument:
    """A document that is locked until the transaction ends; `is_unread`: its text is not that of its file."""

    id: UUID
    revision: int
    version: int
    content_sha256: str
    current: DocumentFields
    is_unread: bool = False

    def has_text(self, title: str, content: str) -> bool:
        return title == self.current.title and digest(content)[1] == self.content_sha256


async def missing(session: AsyncReadSession, scope: ProjectScope, ids: Collection[UUID]) -> set[UUID]:
    """The ids that the project does not have."""
    if not ids:
        return set()
    require(scope, DOCUMENT_READ)
    return set(ids) - await DocumentRepository(session, scope).existing(ids)


@dataclass(frozen=True, slots=True)
class DocumentService:
    session: AsyncSession
    scope: SharedScope

    async def create(self, body: DocumentCreate) -> UUID:
        """Create a document in this transaction, and return its id."""
        may_write(self.scope)
        writer = ScopedWriter(self.scope.principal, self.session)
        document = creation.prepare(body)  # not in a thread, because the transaction would wait for one
        await creation.insert(writer, self.scope.project_id, document)
        return document.id

    async def lock(self, id_: UUID) -> LockedDocument:
        """Check the right and lock the document for a change. Raises MissingRightError or DocumentNotFoundError."""
        may_write(self.scope)
        row = await DocumentWriter(self.session, self.scope).lock(id_)
        if row is None:
            raise DocumentNotFoundError
        return locked_document(row)

    async def _lock(self, id_: UUID, if_match: str | None) -> LockedDocument:
        locked = await self.lock(id_)
        require_match(if_match, locked.revision)
        return locked

    async def content(self, locked: LockedDocument) -> str:
        """The text, which `lock` does not read into `locked.current`."""
        return await DocumentRepository(self.session, self.scope).content(locked.id)

    async def patch(self, locked: LockedDocument, patch: DocumentPatch) -> DocumentJson:
        """For a caller that makes the new text from the old one. Others call `update`."""
        return await self.change(locked, patched(locked.current, patch))

    async def update(self, id_: UUID, patch: DocumentPatch, if_match: str | None = None) -> DocumentJson:
        """Raises as `lock` does, and PreconditionFailedError unless `if_match` names the revision."""
        return await self.patch(await self._lock(id_, if_match), patch)

    async def replace(self, id_: UUID, body: DocumentReplace, if_match: str | None = None) -> DocumentJson:
        return await self.change(await self._lock(id_, if_match), replaced(body))

    async def restore(self, id_: UUID, number: int, if_match: str | None = None) -> DocumentJson:
        """Make the title and text of an earlier version the newest version. Raises VersionNotFoundError."""
        locked = await self._lock(id_, if_match)
        earlier = await DocumentRepository(self.session, self.scope).version(id_, number)
        if earlier is None:
            raise VersionNotFoundError
        if locked.is_unread:
            locked = replace(locked, content_sha256="")  # the earlier text takes the place of the file's
        return await self.change(locked, replace(locked.current, title=earlier.title, content=earlier.content))

    async def reindex(self, id_: UUID) -> DocumentJson:
        """Index again, or read again a file without text. Also retries a failed document at once."""
        may_write(self.scope)
        for unread in await DocumentWriter(self.session, self.scope).await_index([id_]):
            await enqueue_reading(self.session, self.scope.project_id, unread)
        return await shown(self.session, self.scope, id_)

    async def change(self, locked: LockedDocument, wanted: DocumentFields) -> DocumentJson:
        """Write what differs."""
        differing, content = wanted.differs_in(locked.current), wanted.content
        digested = None if content is None else digest(content)
        if digested is not None and digested[1] != locked.content_sha256:
            differing.add("content")
        if differing:
            other_text = not differing.isdisjoint(_TEXT)
            reindexed = other_text or wanted.language != locked.current.language
            change = DocumentChange(
                wanted,
                differing,
                digest=digested if "content" in differing else None,
                version=locked.version + 1 if other_text else None,
                awaits_index=reindexed,
            )
            writer = DocumentWriter(self.session, self.scope)
            with violations(VIOLATIONS):
                revision = await writer.write(locked.id, change)
            if other_text:
                await writer.add_version(locked.id)
            self._publish("document.updated", locked.id, wanted.title, wanted.external_id, revision)
        return await shown(self.session, self.scope, locked.id, content)

    def _publish(self, type_: str, id_: UUID, title: str, external_id: str | None, revision: int) -> None:
        publish(self.session, self.scope, event(type_, id_, title, external_id, revision))


def locked_document(row: Document) -> LockedDocument:
    wanted = DocumentFields(row.title, None, row.external_id, cast("Status", row.status), row.attributes)
    return LockedDocument(row.id, row.revision, row.version, row.content_sha256, wanted, row.unread_title is not None)
