"""Indexing one large document in transactions of bounded size.

What was searchable stays so until everything that is new has been written; then one statement switches. A worker that
is killed in between leaves staged chunks, and the next one goes on behind them.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from itertools import batched

from partywall.core.jobs.context import JobContext
from partywall.features.documents import indexing as documents
from partywall.features.documents.indexing import DocumentToIndex, Indexed
from partywall.features.documents.jobs import IndexDocuments
from partywall.features.search.constants import CHUNKS_AT_ONCE
from partywall.features.search.cutting import Cutter
from partywall.features.search.index_repository import IndexReader, NewChunk
from partywall.features.search.index_writing import ask_again, embed, write
from partywall.features.search.staging_repository import StagedReader, StagedWriter


@dataclass(frozen=True, slots=True)
class LargeDocument:
    context: JobContext
    payload: IndexDocuments
    document: DocumentToIndex
    cutter: Cutter

    async def index(self) -> None:
        if self.document.waiting:
            await self._stage_and_switch()
        await self.sweep()

    async def sweep(self, keep: int | None = None) -> None:
        """Removes what cannot be found, some at a time."""
        swept = CHUNKS_AT_ONCE
        while swept == CHUNKS_AT_ONCE:
            async with self.context.begin(self.payload) as (session, scope):
                swept = await StagedWriter(session, scope).sweep(self.document.id, keep, CHUNKS_AT_ONCE)

    async def _stage_and_switch(self) -> None:
        async with self.context.read(self.payload) as (session, scope):
            found = await documents.texts_to_index(session, scope, [self.document.id])
        if not found:
            return
        version, language = found[0].version, found[0].language
        chunks = await self.cutter.chunks(found)
        del found
        if await self._stage(chunks, version):
            await self._switch(Indexed(self.document.id, version, len(chunks), language))
        else:
            async with self.context.begin(self.payload) as (session, scope):
                await ask_again(session, scope, self.payload, [self.document.id])

    async def _stage(self, chunks: Sequence[NewChunk], version: int) -> bool:
        """Writes what is not written yet; False as soon as the document has another version."""
        await self.sweep(keep=version)
        async with self.context.read(self.payload) as (session, scope):
            staged = await StagedReader(session, scope).places(self.document.id, version)
        if staged != [each.place for each in chunks[: len(staged)]]:
            await self.sweep()  # cut in another way, or for another language
            staged = []
        for some in batched(chunks[len(staged) :], CHUNKS_AT_ONCE):
            if not await self._add(some, version):
                return False
            self.context.progressed()
        return True

    async def _add(self, chunks: Sequence[NewChunk], version: int) -> bool:
        embedders = self.context.resources.embedders
        async with self.context.read(self.payload) as (session, scope):
            indexes = await IndexReader(session, scope).indexes()
        embedded = await embed(embedders, {index.model for index in indexes} or {embedders.current.name}, chunks)
        async with self.context.begin(self.payload) as (session, scope):
            newest = await documents.documents_to_index(session, scope, [self.document.id])
            if [each.version for each in newest] != [version]:
                return False
            await write(session, scope, embedders, embedded, staged_for=version)
        return True

    async def _switch(self, indexed: Indexed) -> None:
        async with self.context.begin(self.payload) as (session, scope):
            current = await documents.mark_indexed(session, scope, self.context.resources.announcer, [indexed])
            if current:
                await StagedWriter(session, scope).switch(indexed.id, indexed.version)
            else:
                await ask_again(session, scope, self.payload, [indexed.id])
