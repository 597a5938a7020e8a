"""Documents become chunks, words and vectors. Runs in the worker."""

from __future__ import annotations

import asyncio
from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from itertools import batched
from typing import Final
from uuid import UUID

import structlog
from sqlalchemy.exc import DBAPIError

from partywall.core.db.session import AsyncSession
from partywall.core.embedding import Embedders, EmbeddingError, TextRefused
from partywall.core.jobs.context import JobContext, LeaseLostError
from partywall.core.tenancy import ProjectNotFoundError, ProjectScope
from partywall.core.text_process.processes import TextTooCostlyError
from partywall.features.documents import indexing as documents
from partywall.features.documents.indexing import DocumentText, Indexed
from partywall.features.documents.jobs import IndexDocuments
from partywall.features.search.chunking import Chunk, chunk_text, chunks_of, cut
from partywall.features.search.constants import EXACT_CHUNKS
from partywall.features.search.index_repository import IndexReader, IndexWriter, KnownIndex, NewChunk
from partywall.features.search.languages import configuration_of
from partywall.features.search.vectors import vector_text

log = structlog.get_logger(__name__)

DOCUMENTS_AT_ONCE: Final = 25
# In characters: longer ones are cut in a process of their own, which takes some 25 ms to start.
LARGEST_INLINE_TEXT: Final = 256 * 1024
# SQLSTATE classes that say the data is at fault, not the server: data exceptions and exceeded limits.
_DATA_AT_FAULT: Final = ("22", "54")


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


async def index_documents(context: JobContext, payload: IndexDocuments) -> None:
    """Idempotent: a document's chunks are replaced as a whole, and only while the text read is still its newest."""
    job = _IndexJob(context, payload)
    for ids in batched(payload.documents, DOCUMENTS_AT_ONCE):
        async with context.read(payload) as (session, scope):
            found = await documents.documents_to_index(session, scope, ids)
        await job.index(found)


@dataclass(frozen=True, slots=True)
class _IndexJob:
    context: JobContext
    payload: IndexDocuments

    async def index(self, found: Sequence[DocumentText]) -> None:
        """All together; where the data is at fault, or no attempt is left, one by one, and the guilty are marked."""
        if not found:
            return
        try:
            await self._index_together(found)
        except (LeaseLostError, ProjectNotFoundError):
            raise
        except Exception as error:
            if not (_is_data_at_fault(error) or self.context.last):
                raise
            if len(found) == 1:
                await self._fail(found[0], error)
            else:
                for document in found:
                    await self.index([document])

    async def _index_together(self, found: Sequence[DocumentText]) -> None:
        embedders = self.context.resources.embedders
        async with self.context.read(self.payload) as (session, scope):
            indexes = await IndexReader(session, scope).indexes()
        found, chunks = await self._cut(scope, found)
        models = {index.model for index in indexes} or {embedders.current.name}
        embedded = await embed(embedders, models, chunks)
        async with self.context.begin(self.payload) as (session, scope):
            announcer = self.context.resources.announcer
            current = await documents.mark_indexed(session, scope, announcer, _indexed(found, chunks))
            await _replace(session, scope, embedders, embedded.of(current), current)

    async def _cut(
        self, scope: ProjectScope, found: Sequence[DocumentText]
    ) -> tuple[list[DocumentText], list[NewChunk]]:
        """The documents that could be cut, with their chunks; the others are marked: nobody is to try them again."""
        cuts: dict[UUID, Sequence[Chunk]] = await asyncio.to_thread(
            lambda: {each.id: chunk_text(each.content) for each in found if len(each.content) <= LARGEST_INLINE_TEXT}
        )
        for document in found:
            if document.id not in cuts:
                try:
                    answer = await self.context.resources.texts.run(scope, cut, document.content.encode())
                except TextTooCostlyError as error:
                    await self._fail(document, error)
                else:
                    cuts[document.id] = await asyncio.to_thread(chunks_of, answer)
        kept = [document for document in found if document.id in cuts]
        return kept, [chunk for document in kept for chunk in _document_chunks(document, cuts[document.id])]

    async def _fail(self, document: DocumentText, error: Exception) -> None:
        log.warning("document_not_indexed", document_id=str(document.id), exc_info=error)
        async with self.context.begin(self.payload) as (session, scope):
            await documents.mark_failed(
                session, scope, self.context.resources.announcer, document.id, document.version, reason_of(error)
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


async def _replace(
    session: AsyncSession, scope: ProjectScope, embedders: Embedders, embedded: Embedded, document_ids: set[UUID]
) -> None:
    writer = IndexWriter(session, scope)
    await writer.remove(sorted(document_ids))
    if not embedded.chunks:
        return
    numbers = await writer.add(embedded.chunks)
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
    """Adds vectors to a project of `size` chunks; a large one moves into the HNSW index bit by bit."""
    large = size > EXACT_CHUNKS
    await writer.add_vectors(index, numbers, vectors, approximate=large)
    if large and not index.approximate:
        await writer.promote(index)


def _indexed(found: Sequence[DocumentText], chunks: Sequence[NewChunk]) -> list[Indexed]:
    counts = Counter(chunk.document_id for chunk in chunks)
    return [Indexed(document.id, document.version, counts[document.id]) for document in found]


def _document_chunks(document: DocumentText, chunks: Sequence[Chunk]) -> Iterator[NewChunk]:
    configuration = configuration_of(document.metadata)
    for chunk in chunks:
        context = f"{document.title}\n{chunk.heading}" if chunk.heading else document.title
        text = document.content[chunk.start : chunk.end]
        yield NewChunk(document.id, chunk.start, chunk.end, configuration, context, text)


def _is_data_at_fault(error: Exception) -> bool:
    if not isinstance(error, DBAPIError):
        return isinstance(error, TextRefused)
    return str(getattr(error.orig, "sqlstate", "")).startswith(_DATA_AT_FAULT)


def reason_of(error: Exception) -> str:
    """Shown to people, so it says what happened and nothing of the inside."""
    match error:
        case TextRefused():
            return f"The embedding model refused the text: {error}"
        case TextTooCostlyError():
            return error.detail
        case EmbeddingError():
            return f"The embedding model did not answer: {error}"
        case DBAPIError():
            return f"The text cannot be indexed (SQLSTATE {getattr(error.orig, 'sqlstate', 'unknown')})"
        case _:
            return f"An internal error ({type(error).__name__})"
