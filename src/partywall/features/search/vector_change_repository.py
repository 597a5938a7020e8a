"""What the vector server does not know yet: a worker claims some, hands them over, and confirms them.

And what it should know, to be compared with what it does.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Final, NamedTuple
from uuid import UUID

from sqlalchemy import text

from partywall.core.db.session import AsyncReadSession, AsyncSession
from partywall.core.tenancy import ProjectScope, SharedScope

# A claimed change is due again after this time, which is longer than a request may take.
CLAIMED_FOR: Final = timedelta(minutes=2)
# A deletion is repeated: an earlier write may have been on its way to the server when its worker died.
REPEATED_AFTER: Final = timedelta(minutes=10)

_CLAIM: Final = text("""
WITH chosen AS (
    SELECT index_id, chunk FROM vector_change
    WHERE project_id = :project_id AND due_at <= now() ORDER BY due_at LIMIT :most FOR UPDATE SKIP LOCKED
), claimed AS (
    UPDATE vector_change AS c SET due_at = now() + :claimed_for
    FROM chosen WHERE c.project_id = :project_id AND c.index_id = chosen.index_id AND c.chunk = chosen.chunk
    RETURNING c.index_id, c.chunk, c.deleted_once, c.due_at
)
SELECT claimed.index_id, claimed.chunk, i.model, i.dimension, claimed.deleted_once, claimed.due_at,
    e.chunk IS NOT NULL AS kept, CASE WHEN l2_norm(e.embedding) > 0 THEN CAST(e.embedding AS text) END AS vector
FROM claimed
JOIN search_index AS i ON i.project_id = :project_id AND i.id = claimed.index_id
LEFT JOIN embedding AS e
    ON e.project_id = :project_id AND e.index_id = claimed.index_id AND e.chunk = claimed.chunk AND e.external
ORDER BY claimed.chunk
""")
# Locked rows have changed again, or are about to.
_WITH_MINE: Final = """
WITH mine AS (
    SELECT c.index_id, c.chunk FROM vector_change AS c
    JOIN unnest(CAST(:index_ids AS uuid[]), CAST(:chunks AS bigint[])) AS given (index_id, chunk)
        ON given.index_id = c.index_id AND given.chunk = c.chunk
    WHERE c.project_id = :project_id AND c.due_at = :claim FOR UPDATE OF c SKIP LOCKED
)
{write} AND c.index_id = mine.index_id AND c.chunk = mine.chunk
"""
_CONFIRM: Final = text(
    _WITH_MINE.format(write="DELETE FROM vector_change AS c USING mine WHERE c.project_id = :project_id")
)
_AGAIN: Final = """
UPDATE vector_change AS c SET deleted_once = true, due_at = now() + :repeated_after FROM mine
WHERE c.project_id = :project_id
"""
_REPEAT: Final = text(_WITH_MINE.format(write=_AGAIN))
_AT_ONCE: Final = "UPDATE vector_change AS c SET due_at = now() FROM mine WHERE c.project_id = :project_id"
_RELEASE: Final = text(_WITH_MINE.format(write=_AT_ONCE))

# Vectors that the server must have: nothing is near to zeros.
_HELD: Final = """
SELECT e.chunk FROM embedding AS e
WHERE e.project_id = :project_id AND e.index_id = :index_id AND e.external AND l2_norm(e.embedding) > 0 {only}
    AND NOT EXISTS (
        SELECT FROM vector_change AS c WHERE c.project_id = :project_id AND c.index_id = :index_id AND c.chunk = e.chunk
    )
ORDER BY e.chunk
"""
_ALL_HELD: Final = text(_HELD.format(only=""))
_STILL_HELD: Final = text(_HELD.format(only="AND e.chunk = ANY (CAST(:chunks AS bigint[]))"))
_UNKNOWN: Final = text("""
SELECT number FROM unnest(CAST(:chunks AS bigint[])) AS number
WHERE NOT EXISTS (
    SELECT FROM embedding AS e WHERE e.project_id = :project_id AND e.index_id = :index_id AND e.chunk = number
        AND e.external AND l2_norm(e.embedding) > 0
) AND NOT EXISTS (
    SELECT FROM vector_change AS c WHERE c.project_id = :project_id AND c.index_id = :index_id AND c.chunk = number
)
ORDER BY number
""")
_WAITING: Final = text(
    "SELECT count(*) FROM vector_change WHERE project_id = :project_id AND index_id = :index_id AND NOT deleted_once"
)
_NOTE: Final = text("""
INSERT INTO vector_change (project_id, index_id, chunk)
SELECT :project_id, :index_id, number FROM unnest(CAST(:chunks AS bigint[])) AS number
ON CONFLICT DO NOTHING
""")


class VectorChange(NamedTuple):
    """`kept`: PostgreSQL has the vector; `vector` is None if it consists of zeros, which nothing is near to."""

    index_id: UUID
    chunk: int
    model: str
    dimension: int
    deleted_once: bool
    claim: datetime
    kept: bool
    vector: str | None


@dataclass(frozen=True, slots=True)
class HeldVectors:
    """The chunks of an index whose vectors the server must have by now: no change of them waits."""

    session: AsyncReadSession
    scope: ProjectScope

    async def all(self, index_id: UUID) -> list[int]:
        return list(await self.session.scalars(_ALL_HELD, self._values(index_id)))

    async def still(self, index_id: UUID, chunks: Sequence[int]) -> list[int]:
        """Those of these chunks."""
        return list(await self.session.scalars(_STILL_HELD, self._values(index_id) | {"chunks": list(chunks)}))

    async def unknown(self, index_id: UUID, chunks: Sequence[int]) -> list[int]:
        """Those of these chunks that PostgreSQL has no vector of, and that no change will delete on the server."""
        return list(await self.session.scalars(_UNKNOWN, self._values(index_id) | {"chunks": list(chunks)}))

    async def waiting(self, index_id: UUID) -> int:
        """The number of changes that wait."""
        found: int | None = await self.session.scalar(_WAITING, self._values(index_id))
        return found or 0

    def _values(self, index_id: UUID) -> dict[str, object]:
        return {"project_id": self.scope.project_id, "index_id": index_id}


@dataclass(frozen=True, slots=True)
class VectorChanges:
    session: AsyncSession
    scope: SharedScope

    async def claim(self, most: int) -> list[VectorChange]:
        """Changes that are due, with the vectors as they are now. They are due again if nothing confirms them."""
        values = {"project_id": self.scope.project_id, "most": most, "claimed_for": CLAIMED_FOR}
        return [VectorChange(*row) for row in await self.session.execute(_CLAIM, values)]

    async def confirm(self, changes: Sequence[VectorChange]) -> None:
        """The server knows them. Leaves what has changed since it was claimed."""
        again = [each for each in changes if not (each.kept or each.deleted_once)]
        done = [each for each in changes if each.kept or each.deleted_once]
        for statement, some in ((_CONFIRM, done), (_REPEAT, again)):
            if some:
                values = {"repeated_after": REPEATED_AFTER} if statement is _REPEAT else {}
                await self.session.execute(statement, values | self._claimed(some))

    async def release(self, changes: Sequence[VectorChange]) -> None:
        """They are due again at once."""
        if changes:
            await self.session.execute(_RELEASE, self._claimed(changes))

    async def note(self, index_id: UUID, chunks: Sequence[int]) -> None:
        """Has a worker bring these chunks on the server in line with PostgreSQL."""
        values = {"project_id": self.scope.project_id, "index_id": index_id, "chunks": list(chunks)}
        await self.session.execute(_NOTE, values)

    def _claimed(self, changes: Sequence[VectorChange]) -> dict[str, object]:
        return {
            "project_id": self.scope.project_id,
            "index_ids": [each.index_id for each in changes],
            "chunks": [each.chunk for each in changes],
            "claim": changes[0].claim,
        }
