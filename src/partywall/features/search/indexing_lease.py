"""A worker's lease on documents of a project, and its transactions."""

from __future__ import annotations

from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass
from datetime import timedelta
from typing import Final
from uuid import UUID

from partywall.core.db.scopes import open_shared_scope
from partywall.core.db.session import AsyncSession
from partywall.core.resources import Resources
from partywall.core.tenancy import Principal, SharedScope
from partywall.features.documents import index_queue as documents
from partywall.features.documents.index_queue import IndexOutcome
from partywall.features.search.index_state import IndexState, read_state
from partywall.features.search.passage_vectors import PassageVectors

# A worker that does not renew for this long counts as dead; it renews three times as often.
LASTING: Final = timedelta(seconds=30)
# Attempts before a document counts as failed.
MAX_ATTEMPTS: Final = 5


@dataclass(frozen=True, slots=True)
class IndexingLease:
    """Acts as the project's own worker; access is checked in every transaction."""

    resources: Resources
    embedding: PassageVectors
    project_id: UUID
    id: UUID

    @asynccontextmanager
    async def begin(self) -> AsyncIterator[tuple[AsyncSession, SharedScope]]:
        async with self.resources.sessions.begin() as session:
            yield session, await open_shared_scope(session, Principal.service(self.project_id), self.project_id)

    async def state(self, document_ids: Sequence[UUID]) -> IndexState:
        return await read_state(self.resources.reads, self.project_id, document_ids)

    async def settle(self, session: AsyncSession, scope: SharedScope, outcomes: Sequence[IndexOutcome]) -> set[UUID]:
        """Ends the lease. Returns the documents that it still held and that are unchanged; write nothing of others."""
        return await documents.settle(session, scope, self.id, outcomes)

    async def settle_alone(self, outcome: IndexOutcome) -> None:
        async with self.begin() as (session, scope):
            await self.settle(session, scope, [outcome])

    async def keep(self, session: AsyncSession, scope: SharedScope, document_ids: Sequence[UUID]) -> dict[UUID, int]:
        """Renews the lease, at least until the transaction ends; the versions of the documents that it still holds."""
        return await documents.keep(session, scope, self.id, document_ids, LASTING)

    async def keep_all(self, document_ids: Sequence[UUID]) -> None:
        async with self.begin() as (session, scope):
            await self.keep(session, scope, document_ids)

    async def release(
        self, document_ids: Sequence[UUID], pause: timedelta, *, counted: bool = True, note: str | None = None
    ) -> None:
        async with self.begin() as (session, scope):
            await documents.release(session, scope, self.id, document_ids, pause, counted=counted, note=note)
