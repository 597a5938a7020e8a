"""How the leases of the worker that indexes end. Everybody locks documents before their attempts."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import timedelta
from typing import Final
from uuid import UUID

from sqlalchemy import Row, text

from partywall.core.db.session import AsyncSession
from partywall.core.tenancy import ProjectScope

# The language is read as `language_of` does.
_SETTLE: Final = text("""
WITH given AS (
    SELECT * FROM unnest(
        CAST(:ids AS uuid[]), CAST(:versions AS integer[]), CAST(:languages AS text[]), CAST(:statuses AS text[]),
        CAST(:errors AS text[]), CAST(:chunks AS integer[])
    ) AS given (id, version, language, status, error, chunks)
), locked AS MATERIALIZED (
    SELECT d.id, given.status, given.error, given.chunks,
        given.version = d.version AND given.language IS NOT DISTINCT FROM CASE
            WHEN jsonb_typeof(d.metadata -> 'language') = 'string' THEN d.metadata ->> 'language'
        END AS current
    FROM document AS d JOIN given ON given.id = d.id
    WHERE d.project_id = :project_id ORDER BY d.id FOR NO KEY UPDATE OF d
), held AS MATERIALIZED (
    SELECT a.document_id FROM locked JOIN indexing_attempt AS a ON a.document_id = locked.id
    WHERE a.project_id = :project_id AND a.lease = :lease ORDER BY a.document_id FOR UPDATE OF a
), marked AS (
    UPDATE document AS d SET index_status = locked.status, index_error = locked.error,
        chunks = coalesce(locked.chunks, d.chunks), state = d.state + 1
    FROM locked JOIN held ON held.document_id = locked.id
    WHERE d.project_id = :project_id AND d.id = locked.id AND locked.current
    RETURNING d.id, d.version, d.revision, d.index_status, d.index_error
), ended AS (
    DELETE FROM indexing_attempt AS a USING held LEFT JOIN marked ON marked.id = held.document_id
    WHERE a.project_id = :project_id AND a.document_id = held.document_id
        AND marked.index_status IS DISTINCT FROM 'pending'
), worded AS (
    UPDATE indexing_attempt AS a SET lease = NULL, words = true, attempts = 0, due_at = now()
    FROM marked WHERE a.project_id = :project_id AND a.document_id = marked.id AND marked.index_status = 'pending'
)
SELECT id, version, revision, index_status, index_error FROM marked ORDER BY id
""")
_KEEP: Final = text("""
WITH kept AS MATERIALIZED (
    SELECT d.id, d.version FROM document AS d
    WHERE d.project_id = :project_id AND d.id = ANY (CAST(:ids AS uuid[])) ORDER BY d.id FOR KEY SHARE
)
UPDATE indexing_attempt AS a SET due_at = now() + CAST(:lasting AS interval) FROM kept
WHERE a.project_id = :project_id AND a.document_id = kept.id AND a.lease = :lease
RETURNING kept.id, kept.version
""")
_RELEASE: Final = text("""
UPDATE indexing_attempt SET lease = NULL, due_at = now() + CAST(:pause AS interval),
    attempts = attempts - CASE WHEN CAST(:counted AS boolean) THEN 0 ELSE 1 END
WHERE project_id = :project_id AND document_id = ANY (CAST(:ids AS uuid[])) AND lease = :lease
""")


@dataclass(frozen=True, slots=True)
class IndexingRepository:
    session: AsyncSession
    scope: ProjectScope

    async def settle(
        self, lease: UUID, outcomes: Sequence[tuple[UUID, int, str | None, str, str | None, int | None]]
    ) -> list[Row[UUID, int, int, str, str | None]]:
        """Ends the lease of each, and marks those of this version and language; what another has leased is left."""
        ids, versions, languages, statuses, errors, chunks = zip(*outcomes, strict=True)
        values = {
            "project_id": self.scope.project_id, "lease": lease, "ids": ids, "versions": versions,
            "languages": languages, "statuses": statuses, "errors": errors, "chunks": chunks,
        }  # fmt: skip
        return list((await self.session.execute(_SETTLE, values)).all())

    async def keep(self, lease: UUID, ids: Sequence[UUID], lasting: timedelta) -> dict[UUID, int]:
        """Prolongs the lease; the versions of those that it still holds."""
        values = {"project_id": self.scope.project_id, "lease": lease, "ids": list(ids), "lasting": lasting}
        return {row.id: row.version for row in await self.session.execute(_KEEP, values)}

    async def release(self, lease: UUID, ids: Sequence[UUID], pause: timedelta, *, counted: bool) -> None:
        values = {
            "project_id": self.scope.project_id, "lease": lease, "ids": list(ids), "pause": pause, "counted": counted,
        }  # fmt: skip
        await self.session.execute(_RELEASE, values)
