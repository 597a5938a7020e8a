"""Indexing one large document in transactions of bounded size.

The former version stays searchable until all new chunks are written; then one statement switches. If the worker dies,
the next one continues after the chunks that are already staged.
"""

from __future__ import annotations

import asyncio
from collections.abc import Sequence
from dataclasses import dataclass

from partywall.core.jobs.context import JobContext
from partywall.core.jobs.queue import enqueue_once
from partywall.core.tenancy import Principal
from partywall.features.documents.index_queue import ClaimedDocument, IndexOutcome, Status
from partywall.features.search.chunk_repository import NewChunk
from partywall.features.search.constants import CHUNKS_AT_ONCE
from partywall.features.search.index_result import PassageCounts
from partywall.features.search.index_writer import write
from partywall.features.search.indexing_lease import IndexingLease
from partywall.features.search.jobs import SWEEP_CHUNKS, SweepChunks
from partywall.features.search.passage_vectors import EmbeddedPassages
from partywall.features.search.staging_repository import FORMER, StagedReader, StagedWriter
from partywall.features.search.terms import counted_words
from partywall.features.search.write_batches import batches


@dataclass(frozen=True, slots=True)
class LargeDocument:
    lease: IndexingLease
    document: ClaimedDocument

    async def index(self, chunks: Sequence[NewChunk], failed: str | None = None) -> None:
        """Indexes the document; without vectors if `failed` is given, the reason that its owner sees."""
        findings = PassageCounts()
        unchanged = await self._stage(chunks, findings, by_words=failed is not None)
        outcome = findings.outcome(self.document, len(chunks))
        if failed is not None:
            outcome = IndexOutcome.of(self.document, Status.FAILED, failed, len(chunks))
        if unchanged:
            await self._switch(outcome)
        else:
            await self.lease.settle_alone(outcome)  # has no effect on another version

    async def sweep(self, keep: int | None = None) -> None:
        """Removes staged and former chunks in batches, except those staged for the version `keep`."""
        swept = CHUNKS_AT_ONCE
        while swept == CHUNKS_AT_ONCE:
            async with self.lease.begin() as (session, scope):
                swept = await StagedWriter(session, scope).sweep(self.document.id, keep, CHUNKS_AT_ONCE)

    async def _stage(self, chunks: Sequence[NewChunk], findings: PassageCounts, *, by_words: bool) -> bool:
        """Writes the chunks that are missing; False once the document has another version or worker."""
        await self.sweep(keep=self.document.version)
        async with self.lease.begin() as (session, scope):
            staged = await StagedReader(session, scope).places(self.document.id, self.document.version)
        if staged != [each.place for each in chunks[: len(staged)]]:
            await self.sweep()  # cut differently, or for another language
            staged = []
        for some in batches(chunks[len(staged) :], CHUNKS_AT_ONCE):
            if not await self._add(some, findings, by_words=by_words):
                return False
        return True

    async def _add(self, chunks: Sequence[NewChunk], findings: PassageCounts, *, by_words: bool) -> bool:
        state = await self.lease.state([self.document.id])
        embedded = EmbeddedPassages(chunks) if by_words else await self.lease.embedding.embed(state.indexes, chunks)
        findings.add(embedded, range(len(chunks)))
        words = await asyncio.to_thread(counted_words, chunks)
        version = self.document.version
        async with self.lease.begin() as (session, scope):
            kept = await self.lease.keep(session, scope, [self.document.id])
            if kept.get(self.document.id) != version:
                return False
            await write(session, scope, self.lease.resources, state, embedded, words, staged_for=version)
        return True

    async def _switch(self, outcome: IndexOutcome) -> None:
        """Makes the new chunks searchable and the former ones not; a job removes those."""
        project_id = self.lease.project_id
        async with self.lease.begin() as (session, scope):
            if not await self.lease.settle(session, scope, [outcome]):
                return
            await StagedWriter(session, scope).switch(outcome.id, outcome.version)
            principal = str(Principal.service(project_id))
            payload = SweepChunks(project_id=project_id, principal=principal, document_id=outcome.id)
            await enqueue_once(session, SWEEP_CHUNKS, payload, outcome.id)


async def sweep_chunks(context: JobContext, payload: SweepChunks) -> None:
    """Removes former chunks in batches."""
    swept = CHUNKS_AT_ONCE
    while swept == CHUNKS_AT_ONCE:
        async with context.begin(payload) as (session, scope):
            swept = await StagedWriter(session, scope).remove(payload.document_id, FORMER, CHUNKS_AT_ONCE)
        context.progressed()
