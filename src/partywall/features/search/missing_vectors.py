"""Adds vectors to documents that were indexed without, because their model was unavailable or is slow.

An outage does not count as an attempt. A document at which the model fails while it answers others is postponed, tried
again after growing pauses and finally `failed`; the others get their vectors.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import timedelta
from typing import Final
from uuid import UUID

import structlog

from partywall.core.backoff import grown, jittered
from partywall.core.embedders import EmbeddingError, EmbeddingUnavailable
from partywall.features.documents.index_queue import ClaimedDocument
from partywall.features.search.exceptions import IndexesChanged
from partywall.features.search.fault_repository import FaultCount, FaultReader
from partywall.features.search.index_repository import IndexReader, IndexWriter, KnownIndex
from partywall.features.search.index_result import PassageCounts
from partywall.features.search.indexing_lease import MAX_ATTEMPTS, IndexingLease
from partywall.features.search.passage_vectors import LONGEST_ASKED, waits_for
from partywall.features.search.vector_filler import TimeSlice, VectorFiller

log = structlog.get_logger(__name__)

FIRST_PAUSE: Final = timedelta(seconds=5)
# Pauses before documents are tried again that did not cause a failure.
_AT_ONCE: Final = timedelta()
_SHORTLY: Final = timedelta(seconds=1)


@dataclass(frozen=True, slots=True)
class MissingVectors:
    lease: IndexingLease

    async def add(self, taken: Sequence[ClaimedDocument]) -> None:
        """New documents together, then those that have failed before, one by one.

        Raises EmbeddingError if a model fails for a reason other than an outage.
        """
        time_slice = TimeSlice(self.lease.embedding.clock)
        new = [each for each in taken if each.attempts == 1]
        groups = deque([new] if new else [])
        groups.extend([each] for each in taken if each.attempts > 1)
        while groups:
            if time_slice.is_over:
                await self._release(groups, _AT_ONCE)
                return
            try:
                await _Group(self.lease, time_slice, groups[0]).add()
            except EmbeddingUnavailable as error:
                pause = max(_SHORTLY, timedelta(seconds=min(error.retry_after or 0.0, LONGEST_ASKED)))
                await self._release(groups, pause, waits_for(str(error)))
                return
            except IndexesChanged:
                await self._release(groups, _SHORTLY)
                return
            groups.popleft()

    async def _release(
        self, groups: Sequence[Sequence[ClaimedDocument]], pause: timedelta, note: str | None = None
    ) -> None:
        ids = [each.id for group in groups for each in group]
        await self.lease.release(ids, pause, counted=False, note=note)


@dataclass(frozen=True, slots=True)
class _Group:
    """Documents that are embedded together."""

    lease: IndexingLease
    time_slice: TimeSlice
    documents: Sequence[ClaimedDocument]

    async def add(self) -> None:
        async with self.lease.begin() as (session, scope):
            indexes = await IndexReader(session, scope).indexes()
        found = {each.id: PassageCounts() for each in self.documents}
        last = all(each.attempts >= MAX_ATTEMPTS for each in self.documents)
        for index in indexes:
            if index.status == "active":
                await VectorFiller(self.lease, self.time_slice, index, last_attempt=last).fill(found)
        complete = [each for each in self.documents if not found[each.id].left]
        for index in indexes:
            if index.status == "building" and complete:
                await self._fill_beside(index, complete)
        await self._settle(indexes, [each for each in complete if not found[each.id].failing])
        await self._postpone(found)

    async def _fill_beside(self, index: KnownIndex, documents: Sequence[ClaimedDocument]) -> None:
        """Best effort: the job that builds the index adds what is still missing."""
        try:
            found = {each.id: PassageCounts() for each in documents}
            await VectorFiller(self.lease, self.time_slice, index).fill(found)
        except EmbeddingError as error:
            log.warning("model_left_out", model=index.model, reason=str(error))

    async def _settle(self, indexes: Sequence[KnownIndex], complete: Sequence[ClaimedDocument]) -> None:
        """Settles documents that have all their vectors by the faults that are stored beside them."""
        if not complete:
            return
        async with self.lease.begin() as (session, scope):
            faults = await self._faults(FaultReader(session, scope), indexes, complete)
            outcomes = [PassageCounts.stored(faults[each.id]).outcome(each, None) for each in complete]
            await self.lease.settle(session, scope, outcomes)
            if {each.id for each in await IndexWriter(session, scope).lock_indexes()} != {each.id for each in indexes}:
                raise IndexesChanged

    async def _faults(
        self, reader: FaultReader, indexes: Sequence[KnownIndex], complete: Sequence[ClaimedDocument]
    ) -> dict[UUID, list[FaultCount]]:
        faults: dict[UUID, list[FaultCount]] = {each.id: [] for each in complete}
        for index in indexes:
            if index.status == "active":
                for each in await reader.of_documents(index, list(faults)):
                    faults[each.document_id].append(each)
        return faults

    async def _postpone(self, found: dict[UUID, PassageCounts]) -> None:
        again: dict[bool, list[UUID]] = {True: [], False: []}
        for each in self.documents:
            findings = found[each.id]
            if not (findings.failing or findings.left):
                continue
            if _is_at_fault(each, findings):
                log.warning("document_put_aside", document_id=str(each.id), attempt=each.attempts, said=findings.said)
                pause, note = _pause_after(each.attempts, findings.retry_after), findings.failure
                await self.lease.release([each.id], pause, note=note)
            else:  # a suspected one is claimed alone next time
                again[each.attempts == 1 and findings.suspected > 0].append(each.id)
        for counted, ids in again.items():
            if ids:
                await self.lease.release(ids, _AT_ONCE, counted=counted)


def _is_at_fault(document: ClaimedDocument, findings: PassageCounts) -> bool:
    """A passage failed alone; or the document was tried alone, its passages failed together and none was answered."""
    return findings.failing > 0 or (document.attempts > 1 and findings.suspected > 0 and not findings.answered)


def _pause_after(attempt: int, asked: float) -> timedelta:
    return max(jittered(grown(FIRST_PAUSE, attempt)), timedelta(seconds=min(asked, LONGEST_ASKED)))
