"""Vectors for documents that are found by their words alone, because their model was away when they were indexed."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import timedelta
from uuid import UUID

from partywall.core.embedding import EmbeddingUnavailable
from partywall.features.documents.indexing import Taken
from partywall.features.search.constants import CHUNKS_AT_ONCE
from partywall.features.search.exceptions import IndexesChanged
from partywall.features.search.findings import Findings
from partywall.features.search.index_repository import (
    IndexReader,
    IndexWriter,
    KnownIndex,
    UnembeddedChunk,
)
from partywall.features.search.index_writing import add_vectors
from partywall.features.search.leasing import Lease
from partywall.features.search.vectors import vector_text


@dataclass(frozen=True, slots=True)
class MissingVectors:
    lease: Lease

    async def add(self, taken: Sequence[Taken]) -> None:
        """Gives them back where the model is still away, which does not count; raises EmbeddingError for all else."""
        found = {each.id: Findings() for each in taken}
        after: int | None = 0
        while after is not None:
            try:
                after = await self._add_some(after, found)
            except EmbeddingUnavailable as error:
                pause = timedelta(seconds=error.retry_after or 0.0)
                await self.lease.release(list(found), pause, counted=False)
                return
        async with self.lease.begin() as (session, scope):
            await self.lease.settle(session, scope, [found[each.id].outcome(each, None) for each in taken])

    async def _add_some(self, after: int, found: Mapping[UUID, Findings]) -> int | None:
        """The number of the last chunk that has a vector now; None where none lacks one, or the model is not here."""
        async with self.lease.begin() as (session, scope):
            reader = IndexReader(session, scope)
            index = next((each for each in await reader.indexes() if each.status == "active"), None)
            chunks = [] if index is None else await reader.without_vector_of(index, found, after, CHUNKS_AT_ONCE)
        if index is None or not chunks:
            return None
        made = await self.lease.embedding.ask(index.model, [chunk.indexed for chunk in chunks])
        if made is None:
            return None
        for position, chunk in enumerate(chunks):
            found[chunk.document_id].note(made.refused.get(position), shortened=position in made.shortened)
        await self._store(index, chunks, [vector_text(vector) for vector in made.vectors], list(found))
        return chunks[-1].number

    async def _store(
        self, index: KnownIndex, chunks: Sequence[UnembeddedChunk], vectors: Sequence[str], document_ids: list[UUID]
    ) -> None:
        async with self.lease.begin() as (session, scope):
            kept = await self.lease.keep(session, scope, document_ids)
            writer = IndexWriter(session, scope)
            if index.id not in {each.id for each in await writer.lock_indexes()}:
                raise IndexesChanged
            ours = [place for place, chunk in enumerate(chunks) if chunk.document_id in kept]
            numbers = [chunks[place].number for place in ours]
            await add_vectors(writer, index, numbers, [vectors[place] for place in ours], await writer.size())
