"""The worker's indexing of leased documents: chunks, postings and vectors in few statements and one commit."""

from __future__ import annotations

import asyncio
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from datetime import timedelta
from typing import Final
from uuid import UUID

import structlog
from sqlalchemy.exc import DBAPIError

from partywall.core.backoff import grown, jittered
from partywall.core.embedders import EmbeddingError, TextRefused
from partywall.core.errors import QuotaExceededError
from partywall.core.tenancy import ProjectNotFoundError
from partywall.core.text_process.processes import TextProcessBusyError, TextTooCostlyError
from partywall.features.documents.index_queue import ClaimedDocument, IndexOutcome, Status, WorkKind
from partywall.features.search.chunk_process import Cutter
from partywall.features.search.chunk_repository import ChunkWriter, NewChunk
from partywall.features.search.constants import CHUNKS_AT_ONCE
from partywall.features.search.exceptions import IndexesChanged
from partywall.features.search.index_result import PassageCounts, findings_by_document
from partywall.features.search.index_state import IndexState
from partywall.features.search.index_writer import write
from partywall.features.search.indexing_lease import MAX_ATTEMPTS, IndexingLease
from partywall.features.search.large_documents import LargeDocument
from partywall.features.search.missing_vectors import MissingVectors
from partywall.features.search.passage_vectors import EmbeddedPassages
from partywall.features.search.terms import counted_words
from partywall.features.search.write_batches import work

log = structlog.get_logger(__name__)

FIRST_PAUSE: Final = timedelta(seconds=1)
LONGEST_PAUSE: Final = timedelta(minutes=5)
# How often one attempt starts again because the indexes have changed.
_TRIES: Final = 3
# SQLSTATE classes of errors that the data causes, not the server: data exceptions and exceeded limits.
_DATA_AT_FAULT: Final = ("22", "54")

type Cut = dict[UUID, list[NewChunk]]


@dataclass(frozen=True, slots=True)
class DocumentIndexer:
    lease: IndexingLease
    kind: WorkKind

    async def index(self, taken: Sequence[ClaimedDocument]) -> None:
        """Indexes all together. If the data is invalid or no attempt is left, one by one, and marks those that fail."""
        for each in taken:
            if each.attempts > MAX_ATTEMPTS:  # its worker died each time
                await self.lease.settle_alone(IndexOutcome.of(each, Status.FAILED, "Indexing never finished"))
        await self._attempt([each for each in taken if each.attempts <= MAX_ATTEMPTS])

    async def _attempt(self, taken: Sequence[ClaimedDocument]) -> None:
        try:
            if self.kind is WorkKind.VECTORS:
                await MissingVectors(self.lease).add(taken)
            elif taken:
                await self._index_together(taken)
        except ProjectNotFoundError:
            log.info("indexing_ended", reason="the project was deleted")
        except Exception as error:
            attempt = max(each.attempts for each in taken)
            if attempt < MAX_ATTEMPTS and not _is_data_at_fault(error):
                log.warning("indexing_put_off", attempt=attempt, exc_info=error)
                pause = jittered(grown(FIRST_PAUSE, attempt, LONGEST_PAUSE))
                await self.lease.release([each.id for each in taken], pause)
            elif len(taken) > 1:
                for each in taken:
                    await self._attempt([each])
            else:
                await self._fail(taken[0], error)

    async def _index_together(self, taken: Sequence[ClaimedDocument]) -> None:
        cut = await self._cut(taken)
        state = await self.lease.state([each.id for each in taken])
        large = [each for each in taken if _is_large(each, cut, state)]
        small = [each for each in taken if each not in large]
        state.require_room(sum(len(cut[each.id]) for each in small))
        for number, group in enumerate(_groups(small, cut)):
            await self._write(group, cut, None if number else state)
        for each in large:
            await self._index_large(each, cut[each.id])

    async def _cut(self, taken: Sequence[ClaimedDocument]) -> Cut:
        cut: Cut = {each.id: [] for each in taken}
        for chunk in await Cutter(self.lease.resources.texts).chunks(taken):
            cut[chunk.document_id].append(chunk)
        return cut

    async def _index_large(
        self, document: ClaimedDocument, chunks: Sequence[NewChunk], failed: str | None = None
    ) -> None:
        state = await self.lease.state([document.id])
        state.require_room(len(chunks))
        await LargeDocument(self.lease, document).index(chunks, failed)

    async def _write(self, group: Sequence[ClaimedDocument], cut: Cut, state: IndexState | None) -> None:
        for number in range(1, _TRIES + 1):
            current = state or await self.lease.state([each.id for each in group])
            chunks = [chunk for each in group for chunk in cut[each.id]]
            embedded = await self.lease.embedding.embed(current.indexes, chunks)
            found = findings_by_document(embedded)
            outcomes = [found.get(each.id, PassageCounts()).outcome(each, len(cut[each.id])) for each in group]
            try:
                await self._store(outcomes, embedded, current)
            except IndexesChanged:
                if number == _TRIES:
                    raise
                state = None
            else:
                return

    async def _store(self, outcomes: Sequence[IndexOutcome], embedded: EmbeddedPassages, state: IndexState) -> None:
        words = await asyncio.to_thread(counted_words, embedded.chunks)
        async with self.lease.begin() as (session, scope):
            ours = await self.lease.settle(session, scope, outcomes)
            if state.replaced:
                await ChunkWriter(session, scope).remove(sorted(ours))
            await write(session, scope, self.lease.resources, state, embedded.of(ours), words)

    async def _fail(self, document: ClaimedDocument, error: Exception) -> None:
        log.warning("document_not_indexed", document_id=str(document.id), exc_info=error)
        reason = reason_of(error)
        if isinstance(error, EmbeddingError):
            reason = f"Text search only: {reason}"
        if isinstance(error, EmbeddingError) and self.kind is not WorkKind.VECTORS:
            await self._index_words(document, reason)
        else:
            await self.lease.settle_alone(IndexOutcome.of(document, Status.FAILED, reason))
            await LargeDocument(self.lease, document).sweep()

    async def _index_words(self, document: ClaimedDocument, note: str) -> None:
        cut = await self._cut([document])
        state = await self.lease.state([document.id])
        if _is_large(document, cut, state):
            await self._index_large(document, cut[document.id], note)
        else:
            outcome = IndexOutcome.of(document, Status.FAILED, note, len(cut[document.id]))
            await self._store([outcome], EmbeddedPassages(cut[document.id]), state)


def _is_large(document: ClaimedDocument, cut: Cut, state: IndexState) -> bool:
    """Writing or removing its chunks takes more than one transaction, or an attempt has staged some already."""
    return max(work(cut[document.id]), document.chunks) > CHUNKS_AT_ONCE or document.id in state.staged


def _groups(documents: Sequence[ClaimedDocument], cut: Cut) -> Iterator[list[ClaimedDocument]]:
    """Groups with at most the work of CHUNKS_AT_ONCE chunks, in the order given."""
    group, done = list[ClaimedDocument](), 0
    for each in documents:
        more = work(cut[each.id])
        if group and done + more > CHUNKS_AT_ONCE:
            yield group
            group, done = [], 0
        group.append(each)
        done += more
    if group:
        yield group


def _is_data_at_fault(error: Exception) -> bool:
    if not isinstance(error, DBAPIError):
        return isinstance(error, TextRefused | TextTooCostlyError | QuotaExceededError)
    return str(getattr(error.orig, "sqlstate", "")).startswith(_DATA_AT_FAULT)


def reason_of(error: Exception) -> str:
    """The reason that users see; reveals no internals."""
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
