"""Writes chunks and vectors that were computed before the transaction."""

from __future__ import annotations

from partywall.core.db.session import AsyncSession
from partywall.core.jobs.queue import enqueue_once
from partywall.core.resources import Resources
from partywall.core.tenancy import Principal, SharedScope
from partywall.features.search.chunk_repository import ChunkWriter, IndexVectors
from partywall.features.search.computed_vectors import ComputedVectors
from partywall.features.search.constants import EXACT_CHUNKS
from partywall.features.search.exceptions import IndexesChanged
from partywall.features.search.index_repository import IndexWriter, KnownIndex
from partywall.features.search.index_state import IndexState
from partywall.features.search.jobs import PROMOTE_VECTORS, PromoteVectors
from partywall.features.search.passage_vectors import EmbeddedPassages
from partywall.features.search.terms import CountedWords


async def write(
    session: AsyncSession,
    scope: SharedScope,
    resources: Resources,
    state: IndexState,
    embedded: EmbeddedPassages,
    words: CountedWords,
    *,
    staged_for: int | None = None,
) -> None:
    """Adds the chunks; they are searchable after the commit unless staged. Raises IndexesChanged."""
    if not embedded.chunks:
        return
    writer, chunks = IndexWriter(session, scope), ChunkWriter(session, scope)
    indexes = state.indexes or [await _first(writer, resources)]
    size = state.chunks + len(embedded.chunks)
    parts = [IndexVectors(each, embedded.vectors[each.model]) for each in indexes if each.model in embedded.vectors]
    numbers = await chunks.add(
        embedded.chunks,
        words,
        parts[0] if parts else None,
        [each.id for each in indexes],
        large=size > EXACT_CHUNKS,
        staged_for=staged_for,
    )
    for part in parts[1:]:
        made = ComputedVectors(numbers, part.vectors)
        await writer.add_vectors(part.index, made, approximate=size > EXACT_CHUNKS or part.index.approximate)
    used = {chunk.configuration for chunk in embedded.chunks}
    if not used <= state.configurations:
        await chunks.remember(used)
    for part in parts:
        await _promote_once_large(writer, part.index, size)


async def add_vectors(writer: IndexWriter, index: KnownIndex, made: ComputedVectors) -> None:
    """Adds vectors of existing chunks. The caller must hold the index's lock."""
    size = await writer.size()
    await writer.add_vectors(index, made, approximate=size > EXACT_CHUNKS or index.approximate)
    await _promote_once_large(writer, index, size)


async def _first(writer: IndexWriter, resources: Resources) -> KnownIndex:
    """Opens the project's first index, with its first chunk."""
    current, external = resources.embedders.current, resources.vector_server is not None
    opened = await writer.open(current.name, current.dimension, "active", external=external)
    if opened is None:
        raise IndexesChanged
    return KnownIndex(opened, current.name, current.dimension, "active", approximate=external, external=external)


async def _promote_once_large(writer: IndexWriter, index: KnownIndex, size: int) -> None:
    """Enqueues the job that moves a large project's older vectors into the HNSW index."""
    if size <= EXACT_CHUNKS or index.approximate:
        return
    project_id = writer.scope.project_id
    payload = PromoteVectors(project_id=project_id, principal=str(Principal.service(project_id)), index=index.id)
    await enqueue_once(writer.session, PROMOTE_VECTORS, payload, index.id)
