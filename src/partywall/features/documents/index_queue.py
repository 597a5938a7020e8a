"""What the slice that indexes asks and reports. Its progress changes the entity tag, never the content's revision.

What waits is known from the documents: those that are pending. A worker leases some of them. Whatever it writes of
them it writes in a transaction that ends their lease, or keeps it: what another has taken over stays as it is.
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

from partywall.core.db.availability import reported
from partywall.core.db.read_pool import ReadPool
from partywall.core.db.session import AsyncSession
from partywall.core.events.log import EventDraft, EventLog
from partywall.core.events.sequencer import EventSequencer
from partywall.core.tenancy import Principal, ProjectScope
from partywall.features.documents.constants import MAX_INDEX_ERROR
from partywall.features.documents.index_queue_repository import IndexingRepository
from partywall.features.documents.models import IndexingAttempt
from partywall.features.documents.patch import language_of

_DUE: Final = "SELECT project_id, kind, account_id FROM wall.projects_to_index($1, $2, $3)"
_CLAIM: Final = """
SELECT id, title, content, media_type, version, metadata, size, chunks, attempts
FROM wall.claim_documents($1, $2, $3, $4, $5, $6, $7)
"""


class WorkKind(StrEnum):
    """`VECTORS` are those whose words are indexed and whose vectors are missing."""

    SMALL = "small"
    LARGE = "large"
    VECTORS = "vectors"


class DueProject(NamedTuple):
    """Documents of that kind wait in the project, which counts for the account."""

    project: UUID
    kind: WorkKind
    account: UUID


class ClaimedDocument(NamedTuple):
    """A leased document. `content` is text or Markdown, also where `media_type` is that of an uploaded HTML page.

    `chunks` is how many of it are indexed, `attempts` counts this one; for vectors alone there is no content.
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

    @property
    def language(self) -> str | None:
        return language_of(self.metadata)


class Status(StrEnum):
    """`PENDING` is for what can be found by its words and waits for its vectors."""

    INDEXED = "indexed"
    FAILED = "failed"
    PENDING = "pending"


class IndexOutcome(NamedTuple):
    """What has become of a version of a document in its language. `note` is shown to people.

    `chunks` is how many of it are in the index now; None where they are those that were there before.
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
    """Whether the document is found by its words, and a worker is to add its vectors."""
    return exists().where(
        IndexingAttempt.project_id == project_id, IndexingAttempt.document_id == document_id, IndexingAttempt.words
    )


def cleaned_note(note: str) -> str:
    return note.replace("\x00", "")[:MAX_INDEX_ERROR]


async def due(pool: ReadPool, *, vectors: bool, beyond: UUID, most: int) -> list[DueProject]:
    """What waits in the projects after `beyond`, in the order of their ids."""
    with reported():
        rows = await pool.fetch(_DUE, vectors, beyond, most)
    return [DueProject(row["project_id"], WorkKind(row["kind"]), row["account_id"]) for row in rows]


async def take(
    pool: ReadPool, waiting: DueProject, lease: UUID, lasting: timedelta, *, most: int, most_bytes: int
) -> list[ClaimedDocument]:
    """Leases some of them as the project's own worker; those that were lost with another worker one at a time."""
    principal = str(Principal.service(waiting.project))
    with reported():
        rows = await pool.fetch(_CLAIM, principal, waiting.project, waiting.kind, lease, lasting, most, most_bytes)
    return [ClaimedDocument(**{**row, "metadata": orjson.loads(row["metadata"])}) for row in rows]


async def settle(
    session: AsyncSession, scope: ProjectScope, sequencer: EventSequencer, lease: UUID, outcomes: Sequence[IndexOutcome]
) -> set[UUID]:
    """Ends their lease, marks those whose version and language are still the newest, and answers their ids.

    Locks those documents until the transaction ends. What is missing from the answer has changed meanwhile, and waits
    anew, or has been taken over, or is gone: keep nothing of it.
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
        EventLog(session, scope, sequencer).append(*event_drafts)
    return {row.id for row in rows}


async def keep(
    session: AsyncSession, scope: ProjectScope, lease: UUID, ids: Sequence[UUID], lasting: timedelta
) -> dict[UUID, int]:
    """Prolongs the lease of those that it still holds, until the transaction ends for sure; their newest versions."""
    return await IndexingRepository(session, scope).keep(lease, ids, lasting)


async def release(
    session: AsyncSession,
    scope: ProjectScope,
    lease: UUID,
    ids: Sequence[UUID],
    pause: timedelta,
    *,
    counted: bool,
    note: str | None = None,
) -> None:
    """Gives back those that are still leased, to be taken again after the pause; the attempt may not have counted.

    A note says what those wait for that are found by their words.
    """
    repository = IndexingRepository(session, scope)
    if note is not None:
        await repository.explain(lease, ids, cleaned_note(note))
    await repository.release(lease, ids, pause, counted=counted)


def _reason(status: str, note: str | None) -> dict[str, JsonValue]:
    return {"reason": note} if status == Status.FAILED else {}
