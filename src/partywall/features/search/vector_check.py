"""Compares the vectors that PostgreSQL holds with those that the vector server has, and mends the differences."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from itertools import batched
from typing import Final
from uuid import UUID

import numpy as np

from partywall.core.db.scopes import open_scope, open_shared_scope
from partywall.core.db.session import Sessions
from partywall.core.tenancy import Principal, ProjectScope
from partywall.core.vector_server import VectorServer, VectorSpace
from partywall.features.documents import index_queue as documents
from partywall.features.search.constants import CHUNKS_AT_ONCE
from partywall.features.search.index_repository import IndexReader, KnownIndex
from partywall.features.search.passage_vectors import waits_for
from partywall.features.search.vector_change_repository import HeldVectors, VectorChanges

NOTED_AT_ONCE: Final = 5_000


@dataclass(frozen=True, slots=True)
class Difference:
    """Of one index: chunks whose vectors the server lacks, and those that it should not have.

    `incomplete`: passages lack a vector in PostgreSQL, although no document waits for it.
    """

    index: KnownIndex
    held: int
    waiting: int
    missing: Sequence[int]
    strays: Sequence[int]
    incomplete: bool

    @property
    def is_none(self) -> bool:
        return not (self.missing or self.strays or self.incomplete)


@dataclass(frozen=True, slots=True)
class VectorCheck:
    """Reads and writes as the project's own worker, while others index and search."""

    sessions: Sessions
    server: VectorServer | None
    project_id: UUID

    async def differences(self) -> list[Difference]:
        """Of the active and building indexes. Raises VectorServerError and ProjectNotFoundError."""
        async with self.sessions.read() as session:
            scope = await open_scope(session, self._principal, self.project_id)
            reader = IndexReader(session, scope)
            indexes = await reader.indexes()
            whole = {each.id: each.status != "active" or await reader.is_whole(each) for each in indexes}
        return [await self._difference(scope, each, incomplete=not whole[each.id]) for each in indexes]

    async def repair(self, difference: Difference) -> None:
        """Leaves the work to the workers: the sender, and the indexer."""
        for some in batched((*difference.missing, *difference.strays), NOTED_AT_ONCE):
            async with self.sessions.begin() as session:
                scope = await open_shared_scope(session, self._principal, self.project_id)
                await VectorChanges(session, scope).note(difference.index.id, some)
        after: int | None = 0 if difference.incomplete else None
        while after is not None:
            after = await self._await_vectors(difference.index, after)

    async def delete_all(self, space: VectorSpace) -> None:
        """Deletes the project's vectors of a space of which it has no index. Raises VectorServerError."""
        async with self.sessions.read() as session:
            scope = await open_scope(session, self._principal, self.project_id)
        if self.server is not None:
            async for some in self.server.numbers(scope, space):
                await self.server.delete(scope, space, some)

    async def _difference(self, scope: ProjectScope, index: KnownIndex, *, incomplete: bool) -> Difference:
        if self.server is None or not index.external:
            return Difference(index, 0, 0, (), (), incomplete)
        async with self.sessions.read() as session:
            scope = await open_scope(session, self._principal, self.project_id)
            ours = HeldVectors(session, scope)
            held, waiting = np.array(await ours.all(index.id), dtype=np.int64), await ours.waiting(index.id)
        parts = [np.array(some, dtype=np.int64) async for some in self.server.numbers(scope, _space(index))]
        theirs = np.concatenate(parts) if parts else np.empty(0, dtype=np.int64)
        missing, strays = np.setdiff1d(held, theirs).tolist(), np.setdiff1d(theirs, held).tolist()
        # What has changed since we looked first is no difference.
        async with self.sessions.read() as session:
            scope = await open_scope(session, self._principal, self.project_id)
            ours = HeldVectors(session, scope)
            missing, strays = await ours.still(index.id, missing), await ours.unknown(index.id, strays)
        return Difference(index, len(held), waiting, missing, strays, incomplete)

    async def _await_vectors(self, index: KnownIndex, after: int) -> int | None:
        async with self.sessions.begin() as session:
            scope = await open_shared_scope(session, self._principal, self.project_id)
            lacking = await IndexReader(session, scope).without_vector(index, after, CHUNKS_AT_ONCE)
            ids = sorted({each.document_id for each in lacking})
            await documents.await_vectors(session, scope, ids, waits_for(""))
        return lacking[-1].number if lacking else None

    @property
    def _principal(self) -> Principal:
        return Principal.service(self.project_id)


def _space(index: KnownIndex) -> VectorSpace:
    return VectorSpace(index.model, index.dimension)
