"""Changes to documents, for one caller and in one transaction."""

from __future__ import annotations

from collections.abc import Collection
from dataclasses import dataclass, replace
from typing import cast
from uuid import UUID

from partywall.core.db.constraints import violations
from partywall.core.db.scoped_write import ScopedWriter
from partywall.core.db.session import AsyncSession
from partywall.core.events.announcer import Announcer
from partywall.core.events.log import EventLog, News
from partywall.core.http.large_answers import LARGE_BYTES
from partywall.core.jobs.queue import enqueue, enqueue_once
from partywall.core.tenancy import Principal, ProjectScope
from partywall.features.documents import creating
from partywall.features.documents.creating import digest, may_write, with_content
from partywall.features.documents.exceptions import VIOLATIONS, DocumentNotFoundError, VersionNotFoundError
from partywall.features.documents.jobs import PURGE_DOCUMENT, RELEASE_BLOBS, PurgeDocument, ReleaseBlobs
from partywall.features.documents.merging import Wanted, patched, replaced
from partywall.features.documents.models import Document
from partywall.features.documents.reading import Shown
from partywall.features.documents.repository import DocumentChange, DocumentRepository, DocumentWriter
from partywall.features.documents.schemas import DocumentCreate, DocumentPatch, DocumentReplace, Status
from partywall.features.projects.rights import Right, require

_TEXT = frozenset({"title", "content"})


@dataclass(frozen=True, slots=True)
class Locked:
    """A document that nobody else changes until this transaction ends."""

    id: UUID
    revision: int
    version: int
    content_sha256: str
    current: Wanted

    def has_text(self, title: str, content: str) -> bool:
        return title == self.current.title and digest(content)[1] == self.content_sha256


@dataclass(frozen=True, slots=True)
class Doomed:
    """A document to delete, which nobody else changes until this transaction ends."""

    id: UUID
    revision: int
    title: str
    external_id: str | None
    original_key: str | None


@dataclass(frozen=True, slots=True)
class DocumentService:
    session: AsyncSession
    scope: ProjectScope
    announcer: Announcer

    async def create(self, body: DocumentCreate) -> UUID:
        """In this transaction; the new document's id."""
        may_write(self.scope)
        writer = ScopedWriter(None, self.scope.principal, self.announcer, self.session)
        document = creating.prepare(body)  # on the spot: nobody waits for a thread with a transaction open
        await creating.insert(writer, self.scope.project_id, document)
        return document.id

    async def missing(self, ids: Collection[UUID]) -> set[UUID]:
        """Those of them that the project does not have."""
        if not ids:
            return set()
        require(self.scope, Right.DOCUMENT_READ)
        return set(ids) - await DocumentRepository(self.session, self.scope).existing(ids)

    async def lock(self, id_: UUID) -> Locked:
        """For a change: the right, and the document as it is now."""
        may_write(self.scope)
        row = await DocumentRepository(self.session, self.scope).lock(id_)
        if row is None:
            raise DocumentNotFoundError
        return Locked(row.id, row.revision, row.version, row.content_sha256, _wanted(row))

    async def content(self, locked: Locked) -> str:
        """The text, which is not read with the lock: `locked.current` has none."""
        return await DocumentRepository(self.session, self.scope).content(locked.id)

    async def patch(self, locked: Locked, patch: DocumentPatch) -> Shown:
        return await self._change(locked, patched(locked.current, patch))

    async def replace(self, locked: Locked, body: DocumentReplace) -> Shown:
        return await self._change(locked, replaced(body))

    async def restore(self, locked: Locked, number: int) -> Shown:
        """Makes the text of an earlier version the newest version."""
        earlier = await DocumentRepository(self.session, self.scope).version(locked.id, number)
        if earlier is None:
            raise VersionNotFoundError
        return await self._change(locked, replace(locked.current, title=earlier.title, content=earlier.content))

    async def lock_to_delete(self, id_: UUID) -> Doomed:
        may_write(self.scope)
        row = await DocumentRepository(self.session, self.scope).lock_to_delete(id_)
        if row is None:
            raise DocumentNotFoundError
        return Doomed(id_, *row)

    async def delete(self, doomed: Doomed) -> None:
        """It is gone at once. Its text, versions and index are purged by a job, and so is its uploaded file."""
        await DocumentWriter(self.session, self.scope).delete(doomed.id)
        project_id = self.scope.project_id
        purge = PurgeDocument(project_id=project_id, principal=self._worker, document_id=doomed.id)
        await enqueue_once(self.session, PURGE_DOCUMENT, purge, doomed.id)
        if doomed.original_key is not None:
            blobs = ReleaseBlobs(project_id=project_id, principal=self._worker, keys=[doomed.original_key])
            await enqueue(self.session, RELEASE_BLOBS, blobs)
        self._tell("document.deleted", doomed.id, doomed, doomed.revision)

    async def reindex(self, id_: UUID) -> Shown:
        """Also what retries a document that could not be indexed, at once where it waits for another attempt."""
        may_write(self.scope)
        await DocumentWriter(self.session, self.scope).await_index([id_])
        if not await DocumentRepository(self.session, self.scope).existing([id_]):
            raise DocumentNotFoundError
        return await self._shown(id_)

    async def _change(self, locked: Locked, wanted: Wanted) -> Shown:
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
            self._tell("document.updated", locked.id, wanted, revision)
        return await self._shown(locked.id, content)

    async def _shown(self, id_: UUID, content: str | None = None) -> Shown:
        """With this content where it is large: it does not come back from the database."""
        repository = DocumentRepository(self.session, self.scope)
        if content is None or len(content) <= LARGE_BYTES:
            row = await repository.shown(id_)
            return Shown(row.body, row.revision, row.state)
        row = await repository.shown(id_, content=False)
        return Shown(with_content(row.body, content), row.revision, row.state)

    @property
    def _worker(self) -> str:
        return str(Principal.service(self.scope.project_id))

    def _tell(self, type_: str, id_: UUID, document: Wanted | Doomed, revision: int) -> None:
        external = {"external_id": document.external_id} if document.external_id is not None else {}
        news = News(type_, "document", str(id_), {"title": document.title, "revision": revision, **external})
        EventLog(self.session, self.scope, self.announcer).append(news)


def _wanted(row: Document) -> Wanted:
    return Wanted(row.title, None, row.external_id, cast("Status", row.status), row.attributes)
