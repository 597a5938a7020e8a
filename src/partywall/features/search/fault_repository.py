"""What a model could not read of chunks, as stored beside their vectors."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Final, NamedTuple
from uuid import UUID

from sqlalchemy import text

from partywall.core.db.session import AsyncReadSession
from partywall.core.tenancy import ProjectScope
from partywall.features.search.computed_vectors import Fault
from partywall.features.search.index_repository import KnownIndex

# One lookup per document and chunk: without good statistics, another plan would read all faults of the project.
_OF_DOCUMENTS: Final = text("""
SELECT given.id AS document_id, marked.fault, count(*) AS chunks, min(marked.fault_message) AS message
FROM unnest(CAST(:document_ids AS uuid[])) AS given(id) CROSS JOIN LATERAL (
    SELECT number FROM chunk WHERE project_id = :project_id AND document_id = given.id AND staged_for IS NULL OFFSET 0
) AS own CROSS JOIN LATERAL (
    SELECT fault, fault_message FROM embedding
    WHERE project_id = :project_id AND index_id = :index_id AND chunk = own.number AND fault IS NOT NULL OFFSET 0
) AS marked
GROUP BY given.id, marked.fault
""")
_AFTER: Final = text("""
SELECT marked.chunk AS number, own.document_id FROM (
    SELECT chunk FROM embedding
    WHERE project_id = :project_id AND index_id = :index_id AND chunk > :after AND fault IS NOT NULL
    ORDER BY chunk LIMIT :limit
) AS marked JOIN chunk AS own ON own.project_id = :project_id AND own.number = marked.chunk
ORDER BY marked.chunk
""")


class FaultCount(NamedTuple):
    """How many searchable chunks of a document have the fault; `message` is the model's about one of them."""

    document_id: UUID
    fault: Fault
    chunks: int
    message: str | None


class FaultyChunk(NamedTuple):
    number: int
    document_id: UUID


@dataclass(frozen=True, slots=True)
class FaultReader:
    session: AsyncReadSession
    scope: ProjectScope

    async def of_documents(self, index: KnownIndex, document_ids: Sequence[UUID]) -> list[FaultCount]:
        rows = await self.session.execute(_OF_DOCUMENTS, self._values(index) | {"document_ids": list(document_ids)})
        return [FaultCount(document_id, Fault(fault), chunks, message) for document_id, fault, chunks, message in rows]

    async def after(self, index: KnownIndex, after: int, limit: int) -> list[FaultyChunk]:
        """The index's next chunks with a fault, ordered by number."""
        rows = await self.session.execute(_AFTER, self._values(index) | {"after": after, "limit": limit})
        return [FaultyChunk(*row) for row in rows]

    def _values(self, index: KnownIndex) -> dict[str, object]:
        return {"project_id": self.scope.project_id, "index_id": index.id}
