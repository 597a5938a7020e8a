"""Reindexing after a change of the embedding model. The old index serves until the new one is complete."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import timedelta
from typing import Final
from uuid import UUID

import structlog
from sqlalchemy import Text, bindparam, func, select

from partywall.core.backoff import grown
from partywall.core.db.session import AsyncSession
from partywall.core.embedders import EmbeddingUnavailable
from partywall.core.jobs.context import JobContext
from partywall.core.jobs.queue import enqueue
from partywall.core.resources import Resources
from partywall.core.tenancy import Principal, ProjectScope, SharedScope
from partywall.features.search.computed_vectors import ComputedVectors
from partywall.features.search.constants import CHUNKS_AT_ONCE
from partywall.features.search.index_repository import IndexReader, IndexWriter, KnownIndex, UnembeddedChunk
from partywall.features.search.index_writer import add_vectors
from partywall.features.search.jobs import (
    BUILD_INDEX,
    CLEAR_INDEX,
    EMBED_CHUNKS,
    RECHECK_DOCUMENTS,
    BuildIndex,
    ClearIndex,
    EmbedChunks,
    RecheckDocuments,
)
from partywall.features.search.passage_vectors import LONGEST_ASKED

log = structlog.get_logger(__name__)

CLEARED_AT_ONCE: Final = 5_000
AWAY_SECONDS: Final = 10.0
# Chunks at which the model fails are tried again in the next pass, after a growing pause; the last pass skips them.
MOST_PASSES: Final = 5
_FIRST_PAUSE: Final = timedelta(seconds=5)

_STALE: Final = select(func.wall.projects_without_index_of(bindparam("model", type_=Text)))


async def notice_change(resources: Resources) -> None:
    """Enqueues BUILD_INDEX for every project that has indexes, but none of the configured model."""
    async with resources.sessions.begin() as session:
        projects = list(await session.scalars(_STALE, {"model": resources.embedders.current.name}))
        for project_id in projects:
            principal = str(Principal.service(project_id))
            await enqueue(session, BUILD_INDEX, BuildIndex(project_id=project_id, principal=principal))


async def build_index(context: JobContext, payload: BuildIndex) -> None:
    """Creates the index of the configured model, unless it exists, and starts filling it."""
    current = context.resources.embedders.current
    async with context.begin(payload) as (session, scope):
        writer = IndexWriter(session, scope)
        known = await writer.lock_for_change()
        if any(index.model == current.name for index in known):
            return
        for index in known:
            if index.status == "building":
                await _retire(session, scope, writer, index)
        external = context.resources.vector_server is not None
        opened = await writer.open(current.name, current.dimension, "building", external=external)
        if opened is not None:
            step = EmbedChunks(project_id=payload.project_id, principal=payload.principal, index=opened)
            await enqueue(session, EMBED_CHUNKS, step)
            log.info("index_building", model=current.name)


async def embed_chunks(context: JobContext, payload: EmbedChunks) -> None:
    """Embeds a batch of chunks and enqueues the next step; after the last batch, switches to the index."""
    async with context.read(payload) as (session, scope):
        reader = IndexReader(session, scope)
        index = _building(await reader.indexes(), payload)
        chunks = [] if index is None else await reader.without_vector(index, payload.after, CHUNKS_AT_ONCE)
    if index is None:
        return
    step = _Step(context, payload, index)
    if index.model != context.resources.embedders.current.name:
        await step.give_up()
    elif chunks:
        await step.embed(chunks)
    else:
        await step.switch()


async def clear_index(context: JobContext, payload: ClearIndex) -> None:
    """Deletes a retired index's vectors in batches."""
    cleared = CLEARED_AT_ONCE
    while cleared == CLEARED_AT_ONCE:
        async with context.begin(payload) as (session, scope):
            cleared = await IndexWriter(session, scope).clear(payload.index, CLEARED_AT_ONCE)


@dataclass(frozen=True, slots=True)
class _Step:
    context: JobContext
    payload: EmbedChunks
    index: KnownIndex

    async def embed(self, chunks: list[UnembeddedChunk]) -> None:
        embedder = self.context.resources.embedders.current
        try:
            made = await embedder.embed_documents([chunk.indexed for chunk in chunks])
        except EmbeddingUnavailable as error:
            await self._wait(error)
            return
        # Refused texts get zeros and a fault, so that the index does not count as incomplete.
        missing = made.left if self.payload.passes >= MOST_PASSES else made.left | made.failed.keys()
        there = [place for place in range(len(chunks)) if place not in missing]
        async with self.context.begin(self.payload) as (session, scope):
            writer = IndexWriter(session, scope)
            index = _building(await writer.lock_indexes(), self.payload)
            if index is None:
                return
            found = ComputedVectors.of(made, [chunk.number for chunk in chunks], there)
            await add_vectors(writer, index, found)
            if made.unavailable is None:
                incomplete = self.payload.incomplete or bool(missing)
                update = {"after": chunks[-1].number, "incomplete": incomplete}
                await enqueue(session, EMBED_CHUNKS, self.payload.model_copy(update=update))
        if made.unavailable is not None:
            await self._wait(made.unavailable)

    async def _wait(self, error: EmbeddingUnavailable) -> None:
        """Enqueues the same step as a new job, so that an outage uses up no attempts."""
        asked = min(error.retry_after or 0.0, LONGEST_ASKED)
        log.warning("index_building_waits", model=self.index.model, reason=str(error))
        async with self.context.begin(self.payload) as (session, _):
            await enqueue(session, EMBED_CHUNKS, self.payload, after=timedelta(seconds=max(AWAY_SECONDS, asked)))

    async def switch(self) -> None:
        async with self.context.begin(self.payload) as (session, scope):
            writer = IndexWriter(session, scope)
            index = _building(await writer.lock_for_change(), self.payload)
            if index is None:
                return
            if not await IndexReader(session, scope).is_whole(index):
                await self._begin_again(session)
                return
            retired = await writer.activate(index)
            log.info("index_switched", model=index.model)
            recheck = RecheckDocuments(project_id=scope.project_id, principal=str(scope.principal), index=index.id)
            await enqueue(session, RECHECK_DOCUMENTS, recheck)
            if retired is not None:
                await enqueue(session, CLEAR_INDEX, _clear(scope, retired))

    async def _begin_again(self, session: AsyncSession) -> None:
        passes = self.payload.passes + self.payload.incomplete
        pause = grown(_FIRST_PAUSE, self.payload.passes + 1) if self.payload.incomplete else timedelta()
        update = {"after": 0, "incomplete": False, "passes": min(passes, MOST_PASSES)}
        await enqueue(session, EMBED_CHUNKS, self.payload.model_copy(update=update), after=pause)

    async def give_up(self) -> None:
        async with self.context.begin(self.payload) as (session, scope):
            writer = IndexWriter(session, scope)
            if _building(await writer.lock_for_change(), self.payload):
                await _retire(session, scope, writer, self.index)


async def _retire(session: AsyncSession, scope: SharedScope, writer: IndexWriter, index: KnownIndex) -> None:
    await writer.retire(index)
    await enqueue(session, CLEAR_INDEX, _clear(scope, index.id))


def _clear(scope: ProjectScope, index_id: UUID) -> ClearIndex:
    return ClearIndex(project_id=scope.project_id, principal=str(scope.principal), index=index_id)


def _building(known: Sequence[KnownIndex], payload: EmbedChunks) -> KnownIndex | None:
    return next((index for index in known if index.id == payload.index and index.status == "building"), None)
