"""Extends and ends leases of the index queue. Lock order: documents before their attempts."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import timedelta
from typing import Final
from uuid import UUID

from sqlalchemy import Row, text

from partywall.core.db.session import AsyncSession
from partywall.core.tenancy import SharedScope

_SETTLE: Final = text("""
SELECT id, version, revision, index_status, index_error FROM wall.settle_documents(
    :project_id, :lease, CAST(:ids AS uuid[]), CAST(:versions AS integer[]), CAST(:languages AS text[]),
    CAST(:statuses AS text[]), CAST(:errors AS text[]), CAST(:chunks AS integer[])
)
""")
_KEEP: Final = text("""
WITH kept AS MATERIALIZED (
    SELECT d.id, d.version FROM unnest(CAST(:ids AS uuid[])) AS given(id) CROSS JOIN LATERAL (
        SELECT id, version FROM document WHERE project_id = :project_id AND id = given.id FOR KEY SHARE
    ) AS d
)
UPDATE indexing_attempt AS a SET due_at = now() + CAST(:lasting AS interval) FROM kept
WHERE a.project_id = :project_id AND a.document_id = kept.id AND a.lease = :lease
RETURNING kept.id, kept.version
""")
_EXPLAIN: Final = text("""
WITH held AS MATERIALIZED (
    SELECT d.id FROM unnest(CAST(:ids AS uuid[])) AS given(id) CROSS JOIN LATERAL (
        SELECT id FROM document
        WHERE project_id = :project_id AND id = given.id AND index_status = 'pending' AND index_error <> :note
            AND unread_title IS NULL
        FOR NO KEY UPDATE
    ) AS d
)
UPDATE document AS d SET index_error = :note, state = d.state + 1 FROM held
WHERE d.project_id = :project_id AND d.id = held.id AND EXISTS (
    SELECT FROM indexing_attempt AS a
    WHERE a.project_id = :project_id AND a.document_id = d.id AND a.lease = :lease AND a.words
)
""")
_AWAIT_VECTORS: Final = text("""
WITH chosen AS MATERIALIZED (
    SELECT d.id, d.revision, d.index_status FROM unnest(CAST(:ids AS uuid[])) AS given(id) CROSS JOIN LATERAL (
        SELECT id, revision, index_status FROM document
        WHERE project_id = :project_id AND id = given.id FOR NO KEY UPDATE
    ) AS d
), waiting AS (
    INSERT INTO indexing_attempt (project_id, document_id, revision, attempts, due_at, words)
    SELECT :project_id, id, revision, 0, now(), true FROM chosen WHERE index_status = 'indexed'
    ON CONFLICT (project_id, document_id) DO NOTHING RETURNING document_id
)
UPDATE document AS d SET index_status = 'pending', index_error = :note, state = d.state + 1 FROM waiting
WHERE d.project_id = :project_id AND d.id = waiting.document_id
""")
# Without its attempt, a worker that has leased one can settle nothing.
_AWAIT_AGAIN: Final = text("""
WITH chosen AS MATERIALIZED (
    SELECT d.id FROM unnest(CAST(:ids AS uuid[])) AS given(id) CROSS JOIN LATERAL (
        SELECT id FROM document
        WHERE project_id = :project_id AND id = given.id AND deleted_at IS NULL AND unread_title IS NULL
        FOR NO KEY UPDATE
    ) AS d
), ended AS (
    DELETE FROM indexing_attempt AS a USING chosen WHERE a.project_id = :project_id AND a.document_id = chosen.id
)
UPDATE document AS d SET index_status = 'pending', index_error = NULL, state = d.state + 1 FROM chosen
WHERE d.project_id = :project_id AND d.id = chosen.id
""")
_RELEASE: Final = text("""
UPDATE indexing_attempt SET lease = NULL, due_at = now() + CAST(:pause AS interval),
    attempts = attempts - CASE WHEN CAST(:counted AS boolean) THEN 0 ELSE 1 END
WHERE project_id = :project_id AND document_id = ANY (CAST(:ids AS uuid[])) AND lease = :lease
""")


@dataclass(frozen=True, slots=True)
class IndexingRepository:
    session: AsyncSession
    scope: SharedScope

    async def settle(
        self, lease: UUID, outcomes: Sequence[tuple[UUID, int, str | None, str, str | None, int | None]]
    ) -> list[Row[UUID, int, int, str, str | None]]:
        """End the leases, and store the outcomes of this version and language. Skips what another worker has leased."""
        ids, versions, languages, statuses, errors, chunks = zip(*outcomes, strict=True)
        values = {
            "project_id": self.scope.project_id, "lease": lease, "ids": ids, "versions": versions,
            "languages": languages, "statuses": statuses, "errors": errors, "chunks": chunks,
        }  # fmt: skip
        return list((await self.session.execute(_SETTLE, values)).all())

    async def keep(self, lease: UUID, ids: Sequence[UUID], lasting: timedelta) -> dict[UUID, int]:
        """Extend the leases that are still held. Returns the version of each such document."""
        values = {"project_id": self.scope.project_id, "lease": lease, "ids": list(ids), "lasting": lasting}
        return {row.id: row.version for row in await self.session.execute(_KEEP, values)}

    async def explain(self, lease: UUID, ids: Sequence[UUID], note: str) -> None:
        """Store why documents that wait for vectors still wait. Unchanged notes are not written."""
        values = {"project_id": self.scope.project_id, "lease": lease, "ids": sorted(ids), "note": note}
        await self.session.execute(_EXPLAIN, values)

    async def await_vectors(self, ids: Sequence[UUID], note: str) -> None:
        """Returns those that are indexed to the state in which only their vectors are missing."""
        values = {"project_id": self.scope.project_id, "ids": sorted(ids), "note": note}
        await self.session.execute(_AWAIT_VECTORS, values)

    async def await_again(self, ids: Sequence[UUID]) -> None:
        """Puts them into the queue, without what was attempted before."""
        await self.session.execute(_AWAIT_AGAIN, {"project_id": self.scope.project_id, "ids": sorted(ids)})

    async def release(self, lease: UUID, ids: Sequence[UUID], pause: timedelta, *, counted: bool) -> None:
        values = {
            "project_id": self.scope.project_id, "lease": lease, "ids": list(ids), "pause": pause, "counted": counted,
        }  # fmt: skip
        await self.session.execute(_RELEASE, values)
