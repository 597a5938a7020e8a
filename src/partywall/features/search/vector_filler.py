"""Adds missing vectors of documents to an index, within a worker's time slice."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Final
from uuid import UUID

from partywall.core.embedders import TextVectors
from partywall.features.search.computed_vectors import ComputedVectors
from partywall.features.search.constants import CHUNKS_AT_ONCE
from partywall.features.search.exceptions import IndexesChanged
from partywall.features.search.index_repository import IndexReader, IndexWriter, KnownIndex, UnembeddedChunk
from partywall.features.search.index_result import PassageCounts
from partywall.features.search.index_writer import add_vectors
from partywall.features.search.indexing_lease import IndexingLease
from partywall.features.search.passage_vectors import Clock

TIME_SLICE_SECONDS: Final = 60.0
# Further calls per time slice for passages that a call did not reach because the model failed at others.
_AGAIN: Final = 20


@dataclass(slots=True)
class TimeSlice:
    """How long a worker may use the model for one project before it serves others."""

    clock: Clock
    again: int = _AGAIN
    _began: float = field(init=False)

    def __post_init__(self) -> None:
        self._began = self.clock()

    @property
    def is_over(self) -> bool:
        return self.clock() - self._began >= TIME_SLICE_SECONDS


@dataclass(frozen=True, slots=True)
class VectorFiller:
    """On the `last_attempt`, passages at which the model fails are given up, so that the others get their turn."""

    lease: IndexingLease
    time_slice: TimeSlice
    index: KnownIndex
    last_attempt: bool = False

    async def fill(self, found: Mapping[UUID, PassageCounts]) -> None:
        """Adds the vectors and counts the results in `found`. Raises EmbeddingError and IndexesChanged."""
        after = 0
        while chunks := await self._lacking(found, after):
            if self.time_slice.is_over:
                await self._leave(found, after)
                return
            after = chunks[-1].number
            if not await self._add(chunks, found):
                return

    async def _leave(self, found: Mapping[UUID, PassageCounts], after: int) -> None:
        async with self.lease.begin() as (session, scope):
            left = await IndexReader(session, scope).documents_without_vector(self.index, found, after)
        for each in left:
            found[each].note_left(None)

    async def _lacking(self, found: Mapping[UUID, PassageCounts], after: int) -> list[UnembeddedChunk]:
        async with self.lease.begin() as (session, scope):
            return await IndexReader(session, scope).without_vector_of(self.index, found, after, CHUNKS_AT_ONCE)

    async def _add(self, chunks: Sequence[UnembeddedChunk], found: Mapping[UUID, PassageCounts]) -> bool:
        """False if this machine lacks the model."""
        while chunks:
            made = await self.lease.embedding.ask(self.index.model, [chunk.indexed for chunk in chunks])
            if made is None:
                return False
            ends = self.time_slice.is_over or not self.time_slice.again
            for position, chunk in enumerate(chunks):
                found[chunk.document_id].note_answer(made, position)
            given_up = self._given_up(made, found, ends=ends)
            await self._store(chunks, made, given_up, list(found))
            if made.unavailable is not None:
                raise made.unavailable
            for position in made.failed.keys() - given_up:
                found[chunks[position].document_id].note_failure(made, position)
            left = made.left - given_up
            if ends:
                for position in left:
                    found[chunks[position].document_id].note_left(made.suspected.get(position))
                return True
            chunks = [chunks[position] for position in sorted(left)]
            self.time_slice.again -= bool(chunks)
        return True

    def _given_up(self, made: TextVectors, found: Mapping[UUID, PassageCounts], *, ends: bool) -> frozenset[int]:
        """Positions that are not asked for again: the model failed there alone, or together and answered nothing."""
        if not self.last_attempt or made.unavailable is not None:
            return frozenset()
        together = ends and not any(counts.answered for counts in found.values())
        return frozenset(made.failed.keys() | (made.suspected.keys() if together else set()))

    async def _store(
        self, chunks: Sequence[UnembeddedChunk], made: TextVectors, given_up: frozenset[int], document_ids: list[UUID]
    ) -> None:
        """Stores faults with the vectors. Refused texts and those given up get zeros, so that they are not missing."""
        async with self.lease.begin() as (session, scope):
            kept = await self.lease.keep(session, scope, document_ids)
            writer = IndexWriter(session, scope)
            if self.index.id not in {each.id for each in await writer.lock_indexes()}:
                raise IndexesChanged
            missing = (made.left | made.failed.keys()) - given_up
            ours = [place for place, chunk in enumerate(chunks) if chunk.document_id in kept and place not in missing]
            found = ComputedVectors.of(made, [chunk.number for chunk in chunks], ours)
            await add_vectors(writer, self.index, found)
