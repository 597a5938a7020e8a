"""The queue of documents to index, for the search slice. Progress changes the entity tag, never the revision.

The pending documents are the queue. A worker leases some of them. All it writes for them must be in a transaction that
ends or extends the lease, so that it never changes documents which another worker has taken over.
"""

from __future__ import annotations

from collections.abc import Sequence
from datetime import timedelta
from enum import StrEnum
from typing import Final, NamedTuple
from uuid import UUID

import orjson
from pydantic import JsonValue
from sqlalchemy import ColumnElement, exists
from sqlalchemy.orm import InstrumentedAttribute

from partywall.core.db.driver_errors import reported
from partywall.core.db.read_pool import ReadPool
from partywall.core.db.session import AsyncSession
from partywall.core.events.log import EventDraft, publish
from partywall.core.tenancy import Principal, SharedScope
from partywall.features.documents.constants import MAX_INDEX_ERROR
from partywall.features.documents.index_queue_repository import IndexingRepository
from partywall.features.documents.models import IndexingAttempt
from partywall.features.documents.patch import language_of

_DUE: Final = "SELECT project_id, kind, account_id FROM wall.projects_to_index($1, $2, $3)"
_CLAIM: Final = """
SELECT id, title, content, media_type, version, metadata, size, chunks, attempts, usual_language
FROM wall.claim_documents($1, $2, $3, $4, $5, $6, $7)
"""


class WorkKind(StrEnum):
    """`VECTORS`: the document's words are indexed, but its vectors are missing."""

    SMALL = "small"
    LARGE = "large"
    VECTORS = "vectors"


class DueProject(NamedTuple):
    """A project with waiting documents of a kind, and the account that the project counts for."""

    project: UUID
    kind: WorkKind
    account: UUID


class ClaimedDocument(NamedTuple):
    """A leased document. `content` is text or Markdown, even if `media_type` is HTML; empty for `VECTORS`.

    `chunks` is the number of its indexed chunks. `attempts` includes the current attempt. `usual_language` is the
    project's.
    """

    id: UUID
    title: str
    content: str
    media_type: str
    version: int
    metadata: dict[str, JsonValue]
    size: int
    chunks: int
    attempts: int
    usual_language: str | None = None

    @property
    def language(self) -> str | None:
        return language_of(self.metadata)


class Status(StrEnum):
    """`PENDING`: found by its words, and waiting for its vectors."""

    INDEXED = "indexed"
    FAILED = "failed"
    PENDING = "pending"


class IndexOutcome(NamedTuple):
    """The result of indexing a version of a document in its language. `note` is shown to people.

    `chunks` is the number of chunks now in the index, or None if it did not change.
    """

    id: UUID
    version: int
    language: str | None
    status: Status
    note: str | None = None
    chunks: int | None = None

    @classmethod
    def of(
        cls, document: ClaimedDocument, status: Status, note: str | None = None, chunks: int | None = None
    ) -> IndexOutcome:
        note = note and cleaned_note(note)
        return cls(document.id, document.version, document.language, status, note, chunks)


def waits_for_vectors(project_id: UUID, document_id: InstrumentedAttribute[UUID]) -> ColumnElement[bool]:
    """Whether the document is indexed by its words and waits for its vectors."""
    return exists().where(
        IndexingAttempt.project_id == project_id, IndexingAttempt.document_id == document_id, IndexingAttempt.words
    )


def cleaned_note(note: str) -> str:
    return note.replace("\x00", "")[:MAX_INDEX_ERROR]


async def due(pool: ReadPool, *, vectors: bool, beyond: UUID, most: int) -> list[DueProject]:
    """The projects with ids after `beyond` that have waiting documents, by id."""
    with reported():
        rows = await pool.fetch(_DUE, vectors, beyond, most)
    return [DueProject(row["project_id"], WorkKind(row["kind"]), row["account_id"]) for row in rows]


async def take(
    pool: ReadPool, waiting: DueProject, lease: UUID, lasting: timedelta, *, most: int, most_bytes: int
) -> list[ClaimedDocument]:
    """Lease waiting documents as the project's worker. Documents whose last worker died are leased one at a time."""
    principal = str(Principal.service(waiting.project))
    with reported():
        rows = await pool.fetch(_CLAIM, principal, waiting.project, waiting.kind, lease, lasting, most, most_bytes)
    return [ClaimedDocument(**{**row, "metadata": orjson.loads(row["metadata"])}) for row in rows]


async def settle(session: AsyncSession, scope: SharedScope, lease: UUID, outcomes: Sequence[IndexOutcome]) -> set[UUID]:
    """End the leases, store the outcomes that are still current (version and language), and return their ids.

    Locks those documents until the transaction ends. A document that is missing from the result has changed and waits
    again, was taken over, or is gone: write nothing for it.
    """
    rows = await IndexingRepository(session, scope).settle(lease, outcomes)
    event_drafts = [
        EventDraft(
            f"document.{row.index_status}",
            "document",
            str(row.id),
            {"version": row.version, "revision": row.revision, **_reason(row.index_status, row.index_error)},
        )
        for row in rows
        if row.index_status != Status.PENDING
    ]
    if event_drafts:
        publish(session, scope, *event_drafts)
    return {row.id for row in rows}


async def keep(
    session: AsyncSession, scope: SharedScope, lease: UUID, ids: Sequence[UUID], lasting: timedelta
) -> dict[UUID, int]:
    """Extend the leases that are still held. Returns the newest version of each such document.

    The documents cannot be taken over before the transaction ends.
    """
    return await IndexingRepository(session, scope).keep(lease, ids, lasting)


async def await_vectors(session: AsyncSession, scope: SharedScope, ids: Sequence[UUID], note: str) -> None:
    """Has those that are indexed claimed again as `WorkKind.VECTORS`; the note says why they are pending."""
    await IndexingRepository(session, scope).await_vectors(ids, note)


async def await_again(session: AsyncSession, scope: SharedScope, ids: Sequence[UUID]) -> None:
    """Has them indexed again; a worker that is indexing them now loses its lease."""
    await IndexingRepository(session, scope).await_again(ids)


async def release(
    session: AsyncSession,
    scope: SharedScope,
    lease: UUID,
    ids: Sequence[UUID],
    pause: timedelta,
    *,
    counted: bool,
    note: str | None = None,
) -> None:
    """Release the leases that are still held; the documents can be leased again after `pause`.

    With `counted=False` the attempt does not count. `note` tells why documents that wait for vectors still wait.
    """
    repository = IndexingRepository(session, scope)
    if note is not None:
        await repository.explain(lease, ids, cleaned_note(note))
    await repository.release(lease, ids, pause, counted=counted)


def _reason(status: str, note: str | None) -> dict[str, JsonValue]:
    return {"reason": note} if status == Status.FAILED else {}
