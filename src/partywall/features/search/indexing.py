"""Documents become chunks, words and vectors. Runs in the worker."""

from __future__ import annotations

import time
from collections import Counter
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from decimal import Decimal
from typing import Final
from uuid import UUID

import structlog
from sqlalchemy.exc import DBAPIError

from partywall.core.db.session import AsyncSession
from partywall.core.embedding import EmbeddingError, TextRefused
from partywall.core.errors import QuotaExceededError
from partywall.core.jobs.context import JobContext, LeaseLostError
from partywall.core.jobs.queue import enqueue
from partywall.core.jobs.turns import TURN_SECONDS
from partywall.core.tenancy import ProjectNotFoundError, ProjectScope
from partywall.core.text_process.processes import TextProcessBusyError, TextTooCostlyError
from partywall.features.documents import indexing as documents
from partywall.features.documents.indexing import DocumentText, DocumentToIndex, Indexed
from partywall.features.documents.jobs import INDEX_DOCUMENTS, IndexDocuments
from partywall.features.search.constants import BYTES_AT_ONCE, CHUNKS_AT_ONCE
from partywall.features.search.cutting import Cutter
from partywall.features.search.index_repository import IndexReader, IndexWriter, NewChunk
from partywall.features.search.index_writing import ask_again, embed, write
from partywall.features.search.jobs import INDEX_LARGE_DOCUMENT
from partywall.features.search.large_documents import LargeDocument
from partywall.features.search.staging_repository import StagedReader

log = structlog.get_logger(__name__)

DOCUMENTS_AT_ONCE: Final = 25
# SQLSTATE classes that say the data is at fault, not the server: data exceptions and exceeded limits.
_DATA_AT_FAULT: Final = ("22", "54")


async def index_documents(context: JobContext, payload: IndexDocuments) -> None:
    """Idempotent: a document's chunks are replaced as a whole, and only while the text read is still its newest."""
    job = _IndexJob(context, payload)
    async with context.read(payload) as (session, scope):
        found = await documents.documents_to_index(session, scope, payload.documents)
        staged = await StagedReader(session, scope).documents(payload.documents)
    large = [each for each in found if each.id in staged or _is_large(each)]
    small = [each for each in found if each not in large]
    await job.hand_over([each.id for each in large])
    await job.index_in_turn(list(groups_of(small, BYTES_AT_ONCE, DOCUMENTS_AT_ONCE)))


async def index_large_document(context: JobContext, payload: IndexDocuments) -> None:
    """Idempotent: goes on where another attempt has ended, and does nothing for what is indexed already."""
    job = _IndexJob(context, payload)
    async with context.read(payload) as (session, scope):
        found = await documents.documents_to_index(session, scope, payload.documents)
    for each in found:
        await job.index_large(each)


async def give_up(context: JobContext, payload: IndexDocuments) -> None:
    """Nobody waits for a job that has become the operator's: whoever asks again gets another one."""
    async with context.begin(payload) as (session, scope):
        for each in await documents.documents_to_index(session, scope, payload.documents):
            if each.waiting:
                await documents.mark_failed(
                    session, scope, context.resources.announcer, each.id, each.version, "Indexing never ended"
                )


def groups_of(found: Sequence[DocumentToIndex], most_bytes: int, most: int) -> Iterator[list[DocumentToIndex]]:
    """In the order given: each with so many documents and bytes at most, or with one document."""
    group: list[DocumentToIndex] = []
    for each in found:
        if group and (len(group) == most or sum(one.size for one in group) + each.size > most_bytes):
            yield group
            group = []
        group.append(each)
    if group:
        yield group


def _is_large(document: DocumentToIndex) -> bool:
    return document.size > BYTES_AT_ONCE or document.chunks > CHUNKS_AT_ONCE


@dataclass(frozen=True, slots=True)
class _IndexJob:
    context: JobContext
    payload: IndexDocuments

    async def index(self, ids: Sequence[UUID]) -> None:
        """All together; where the data is at fault, or no attempt is left, one by one, and the guilty are marked."""
        async with self.context.read(self.payload) as (session, scope):
            found = await documents.texts_to_index(session, scope, ids)
        try:
            await self._index_together(found)
        except Exception as error:
            if not self._is_final(error):
                raise
            if len(found) == 1:
                await self._fail(found[0].id, found[0].version, error)
            else:
                for document in found:
                    await self.index([document.id])

    async def index_in_turn(self, groups: Sequence[Sequence[DocumentToIndex]]) -> None:
        """For as long as a turn takes; the rest goes to the end of the queue, so that others' need not wait for it."""
        began = time.monotonic()
        for number, group in enumerate(groups):
            if number and time.monotonic() - began >= TURN_SECONDS:
                rest = [each.id for left in groups[number:] for each in left]
                async with self.context.begin(self.payload) as (session, _):
                    await enqueue(session, INDEX_DOCUMENTS, self.payload.model_copy(update={"documents": rest}))
                return
            await self.index([each.id for each in group])

    async def hand_over(self, ids: Sequence[UUID]) -> None:
        """Each to a job of its own."""
        if ids:
            async with self.context.begin(self.payload) as (session, _):
                for each in ids:
                    one = self.payload.model_copy(update={"documents": [each]})
                    await enqueue(session, INDEX_LARGE_DOCUMENT, one)

    async def index_large(self, document: DocumentToIndex) -> None:
        large = LargeDocument(self.context, self.payload, document, self._cutter)
        try:
            await large.index()
        except Exception as error:
            if not self._is_final(error):
                raise
            await self._fail(document.id, document.version, error)
            await large.sweep()

    @property
    def _cutter(self) -> Cutter:
        return Cutter(self.context.resources.texts)

    def _is_final(self, error: Exception) -> bool:
        """Whether another attempt would do no better, and this one may still say so."""
        lost = isinstance(error, LeaseLostError | ProjectNotFoundError)
        return not lost and (_is_data_at_fault(error) or self.context.last)

    async def _index_together(self, found: Sequence[DocumentText]) -> None:
        if not found:
            return
        embedders = self.context.resources.embedders
        chunks = await self._cutter.chunks(found)
        async with self.context.read(self.payload) as (session, scope):
            reader = IndexReader(session, scope)
            indexes = await reader.indexes()
            used, most = await reader.passages({document.id for document in found})
        _require_room(used, len(chunks), most)
        models = {index.model for index in indexes} or {embedders.current.name}
        embedded = await embed(embedders, models, chunks)
        async with self.context.begin(self.payload) as (session, scope):
            announcer = self.context.resources.announcer
            current = await documents.mark_indexed(session, scope, announcer, _indexed(found, chunks))
            await IndexWriter(session, scope).remove(sorted(current))
            await write(session, scope, embedders, embedded.of(current))
            await self._ask_again(session, scope, {document.id for document in found} - current)

    async def _ask_again(self, session: AsyncSession, scope: ProjectScope, stale: set[UUID]) -> None:
        if stale:
            await ask_again(session, scope, self.payload, sorted(stale))

    async def _fail(self, document_id: UUID, version: int, error: Exception) -> None:
        log.warning("document_not_indexed", document_id=str(document_id), exc_info=error)
        async with self.context.begin(self.payload) as (session, scope):
            announcer, reason = self.context.resources.announcer, reason_of(error)
            if not await documents.mark_failed(session, scope, announcer, document_id, version, reason):
                await self._ask_again(session, scope, {document_id})


def _require_room(used: int, more: int, most: Decimal | None) -> None:
    """Raises QuotaExceededError, before vectors are computed in vain."""
    if more and most is not None and used + more > most:
        raise QuotaExceededError("passages", used, more, int(most))


def _indexed(found: Sequence[DocumentText], chunks: Sequence[NewChunk]) -> list[Indexed]:
    counts = Counter(chunk.document_id for chunk in chunks)
    return [Indexed(document.id, document.version, counts[document.id], document.language) for document in found]


def _is_data_at_fault(error: Exception) -> bool:
    if not isinstance(error, DBAPIError):
        return isinstance(error, TextRefused | TextTooCostlyError | QuotaExceededError)
    return str(getattr(error.orig, "sqlstate", "")).startswith(_DATA_AT_FAULT)


def reason_of(error: Exception) -> str:
    """Shown to people, so it says what happened and nothing of the inside."""
    match error:
        case TextRefused():
            return f"The embedding model refused the text: {error}"
        case TextTooCostlyError() | TextProcessBusyError():
            return error.detail
        case QuotaExceededError():
            return f"{error.code}: {error.detail}"
        case EmbeddingError():
            return f"The embedding model did not answer: {error}"
        case DBAPIError():
            return f"The text cannot be indexed (SQLSTATE {getattr(error.orig, 'sqlstate', 'unknown')})"
        case _:
            return f"An internal error ({type(error).__name__})"
