"""What a transaction of the worker writes of chunks that were cut and embedded before it began."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from uuid import UUID

import structlog

from partywall.core.db.session import AsyncSession
from partywall.core.embedding import Embedders
from partywall.core.jobs.queue import enqueue, enqueue_once
from partywall.core.tenancy import Principal, ProjectScope
from partywall.features.documents import indexing as documents
from partywall.features.documents.jobs import INDEX_DOCUMENTS, IndexDocuments
from partywall.features.search.constants import EXACT_CHUNKS
from partywall.features.search.index_repository import IndexWriter, KnownIndex, NewChunk
from partywall.features.search.jobs import PROMOTE_VECTORS, PromoteVectors
from partywall.features.search.vectors import vector_text

log = structlog.get_logger(__name__)


class IndexesChanged(Exception):
    """An index began or ceased to serve while its vectors were computed; the job is run again."""


@dataclass(frozen=True, slots=True)
class Embedded:
    """Chunks with one vector each for every model that could be asked; the keys are the models' names."""

    chunks: Sequence[NewChunk]
    vectors: Mapping[str, Sequence[str]]

    def of(self, document_ids: set[UUID]) -> Embedded:
        kept = [position for position, chunk in enumerate(self.chunks) if chunk.document_id in document_ids]
        return Embedded(
            [self.chunks[position] for position in kept],
            {model: [vectors[position] for position in kept] for model, vectors in self.vectors.items()},
        )


async def embed(embedders: Embedders, models: set[str], chunks: Sequence[NewChunk]) -> Embedded:
    """Raises EmbeddingError; a model that this machine lacks is left out, and its index answers by words alone."""
    vectors: dict[str, Sequence[str]] = {}
    texts = [chunk.indexed for chunk in chunks]
    for model in models:
        embedder = await embedders.named(model)
        if embedder is None:
            log.warning("model_not_available", model=model)
            continue
        vectors[model] = [vector_text(vector) for vector in await embedder.embed_documents(texts)]
    return Embedded(chunks, vectors)


async def write(
    session: AsyncSession,
    scope: ProjectScope,
    embedders: Embedders,
    embedded: Embedded,
    *,
    staged_for: int | None = None,
) -> None:
    """Adds the chunks, to be found from now on unless they are staged. Raises IndexesChanged."""
    if not embedded.chunks:
        return
    writer = IndexWriter(session, scope)
    numbers = await writer.add(embedded.chunks, staged_for)
    size = await writer.remember(chunk.configuration for chunk in embedded.chunks)
    for index in await _serving(writer, embedders):
        if index.model in embedded.vectors:
            await add_vectors(writer, index, numbers, embedded.vectors[index.model], size)
        elif index.model == embedders.current.name:
            raise IndexesChanged


async def _serving(writer: IndexWriter, embedders: Embedders) -> list[KnownIndex]:
    """The indexes to write to; a project's first begins with its first chunk."""
    known = await writer.lock_indexes()
    if not known:
        await writer.open(embedders.current.name, embedders.current.dimension, "active")
        known = await writer.lock_indexes()
    return known


async def add_vectors(
    writer: IndexWriter, index: KnownIndex, numbers: Sequence[int], vectors: Sequence[str], size: int
) -> None:
    """Adds vectors to a project of `size` chunks; a job takes the older ones of a large one into the HNSW index."""
    large = size > EXACT_CHUNKS
    await writer.add_vectors(index, numbers, vectors, approximate=large or index.approximate)
    if large and not index.approximate:
        scope = writer.scope
        payload = PromoteVectors(
            project_id=scope.project_id, principal=str(Principal.service(scope.project_id)), index=index.id
        )
        await enqueue_once(writer.session, PROMOTE_VECTORS, payload, index.id)


async def ask_again(
    session: AsyncSession, scope: ProjectScope, payload: IndexDocuments, document_ids: Sequence[UUID]
) -> None:
    """One job more for those of them that have changed while they were being indexed."""
    found = await documents.documents_to_index(session, scope, document_ids)
    changed = [document.id for document in found if document.waiting]
    if changed:
        await enqueue(session, INDEX_DOCUMENTS, payload.model_copy(update={"documents": changed}))
