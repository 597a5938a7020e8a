"""Vectors for documents that are found by their words alone, because their model was away or is slow.

An outage is waited for and counts for nothing. A document at which the model fails while it answers others is put
aside, tried again after growing pauses, and `failed` in the end; the others get their vectors.
"""

from __future__ import annotations

import random
from collections import deque
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import timedelta
from typing import Final
from uuid import UUID

import structlog

from partywall.core.embedders import EmbeddingError, EmbeddingUnavailable
from partywall.features.documents.index_queue import ClaimedDocument, IndexOutcome, Status
from partywall.features.search.exceptions import IndexesChanged
from partywall.features.search.index_repository import IndexReader, IndexWriter, KnownIndex
from partywall.features.search.index_result import PassageCounts
from partywall.features.search.lease import MAX_ATTEMPTS, Lease
from partywall.features.search.passage_vectors import LONGEST_ASKED, waits_for
from partywall.features.search.vector_filling import Turn, VectorFilling

log = structlog.get_logger(__name__)

FIRST_PAUSE: Final = timedelta(seconds=5)
# Of those that are tried again for no fault of theirs.
_AT_ONCE: Final = timedelta()
_SHORTLY: Final = timedelta(seconds=1)


@dataclass(frozen=True, slots=True)
class MissingVectors:
    lease: Lease

    async def add(self, taken: Sequence[ClaimedDocument]) -> None:
        """Those that have failed before one by one, behind the others. Raises EmbeddingError where a model fails that
        cannot be away."""
        turn = Turn(self.lease.embedding.clock)
        new = [each for each in taken if each.attempts == 1]
        groups = deque([new] if new else [])
        groups.extend([each] for each in taken if each.attempts > 1)
        while groups:
            if turn.is_over:
                await self._release(groups, _AT_ONCE)
                return
            try:
                await _Group(self.lease, turn, groups[0]).add()
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
    """Documents whose passages go to the model together."""

    lease: Lease
    turn: Turn
    documents: Sequence[ClaimedDocument]

    async def add(self) -> None:
        async with self.lease.begin() as (session, scope):
            indexes = await IndexReader(session, scope).indexes()
        found = {each.id: PassageCounts() for each in self.documents}
        for index in indexes:
            if index.status == "active":
                await VectorFilling(self.lease, self.turn, index).fill(found)
        complete = [each for each in self.documents if not found[each.id].left]
        for index in indexes:
            if index.status == "building" and complete:
                await self._fill_beside(index, complete)
        await self._settle(indexes, found)
        await self._put_aside(found)

    async def _fill_beside(self, index: KnownIndex, documents: Sequence[ClaimedDocument]) -> None:
        """What is missing there in the end the job adds that builds the index."""
        try:
            await VectorFilling(self.lease, self.turn, index).fill({each.id: PassageCounts() for each in documents})
        except EmbeddingError as error:
            log.warning("model_left_out", model=index.model, reason=str(error))

    async def _settle(self, indexes: Sequence[KnownIndex], found: dict[UUID, PassageCounts]) -> None:
        outcomes = [self._outcome(each, found[each.id]) for each in self.documents]
        if not (ends := [each for each in outcomes if each is not None]):
            return
        async with self.lease.begin() as (session, scope):
            await self.lease.settle(session, scope, ends)
            if {each.id for each in await IndexWriter(session, scope).lock_indexes()} != {each.id for each in indexes}:
                raise IndexesChanged

    def _outcome(self, document: ClaimedDocument, findings: PassageCounts) -> IndexOutcome | None:
        """None for what is to be tried again."""
        if findings.refused or not (findings.failing or findings.left):
            return findings.outcome(document, None)
        if document.attempts >= MAX_ATTEMPTS and _is_at_fault(document, findings):
            return IndexOutcome.of(document, Status.FAILED, findings.failure)
        return None

    async def _put_aside(self, found: dict[UUID, PassageCounts]) -> None:
        again: dict[bool, list[UUID]] = {True: [], False: []}
        for each in self.documents:
            findings = found[each.id]
            if self._outcome(each, findings) is not None:
                continue
            if _is_at_fault(each, findings):
                log.warning("document_put_aside", document_id=str(each.id), attempt=each.attempts, said=findings.said)
                pause, note = _pause_after(each.attempts, findings.retry_after), findings.failure
                await self.lease.release([each.id], pause, note=note)
            else:  # a suspected one alone
                again[each.attempts == 1 and findings.suspected > 0].append(each.id)
        for counted, ids in again.items():
            if ids:
                await self.lease.release(ids, _AT_ONCE, counted=counted)


def _is_at_fault(document: ClaimedDocument, findings: PassageCounts) -> bool:
    """A passage has failed alone; or some have together, of a document that was tried alone, and none was answered."""
    return findings.failing > 0 or (document.attempts > 1 and findings.suspected > 0 and not findings.answered)


def _pause_after(attempt: int, asked: float) -> timedelta:
    doubled: timedelta = FIRST_PAUSE * 2 ** (attempt - 1)
    own = doubled * random.uniform(0.5, 1.0)  # noqa: S311 - spreads load, keeps no secret  # nosec B311
    return max(own, timedelta(seconds=min(asked, LONGEST_ASKED)))
