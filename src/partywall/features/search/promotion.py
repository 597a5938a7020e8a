"""Moves the vectors of a project that has grown large into the shared HNSW index, in batches.

After a change of the engine, it moves those of every project to the vector server, or back. Until all are there,
searches of the project compare every vector. Batches rest in between, so that the promotion takes a third of a
processor at most from the documents that are being indexed.
"""

from __future__ import annotations

import asyncio
from contextlib import suppress
from dataclasses import replace
from typing import Final
from uuid import UUID

from sqlalchemy import Boolean, Select, Uuid, bindparam, column, func, select
from sqlalchemy.exc import DBAPIError

from partywall.core.db.locks import was_lock_timeout
from partywall.core.jobs.context import AnotherAttemptError, JobContext
from partywall.core.jobs.queue import enqueue_once
from partywall.core.resources import Resources
from partywall.core.tenancy import Principal
from partywall.features.search.constants import PROMOTED_AT_ONCE
from partywall.features.search.index_repository import IndexReader, KnownIndex
from partywall.features.search.jobs import PROMOTE_VECTORS, PromoteVectors
from partywall.features.search.promotion_repository import VectorPromoter

# A rest takes so many times as long as the batch before it, and at most so many seconds.
REST: Final = 2.0
LONGEST_REST: Final = 2.0

_TO_MOVE: Final[Select[UUID, UUID]] = select(column("project_id", Uuid), column("index_id", Uuid)).select_from(
    func.wall.indexes_to_move(bindparam("outside", type_=Boolean)).table_valued("project_id", "index_id")
)


async def promote_vectors(context: JobContext, payload: PromoteVectors) -> None:
    """Idempotent: an attempt continues with the vectors that are not promoted yet."""
    index = await _begin(context, payload)
    if index is None:
        return
    clock = asyncio.get_running_loop().time
    after: int | None = 0
    while after is not None:
        if context.stopping.is_set():
            raise AnotherAttemptError("the worker is stopping")
        began = clock()
        after = await _promote(context, payload, index, after)
        if after is not None:
            with suppress(TimeoutError):
                async with asyncio.timeout(min(LONGEST_REST, REST * (clock() - began))):
                    await context.stopping.wait()
    if not await _finish(context, payload, index):
        raise AnotherAttemptError("some vectors are being written or removed")


async def move_vectors(resources: Resources) -> None:
    """Enqueues PROMOTE_VECTORS for each index whose vectors are not where the settings say."""
    async with resources.sessions.begin() as session:
        for project_id, index_id in await session.execute(_TO_MOVE, {"outside": resources.vector_server is not None}):
            principal = str(Principal.service(project_id))
            payload = PromoteVectors(project_id=project_id, principal=principal, index=index_id)
            await enqueue_once(session, PROMOTE_VECTORS, payload, index_id)


async def _begin(context: JobContext, payload: PromoteVectors) -> KnownIndex | None:
    """The index, if vectors of it are to be moved."""
    external = context.resources.vector_server is not None
    async with context.read(payload) as (session, scope):
        known = await IndexReader(session, scope).indexes()
    index = next((each for each in known if each.id == payload.index), None)
    if index is None or (index.external == external and index.approximate):
        return None
    if index.external != external:
        async with context.begin(payload) as (session, scope):
            await VectorPromoter(session, scope).turn(index, external=external)
    return replace(index, external=external)


async def _promote(context: JobContext, payload: PromoteVectors, index: KnownIndex, after: int) -> int | None:
    async with context.begin(payload) as (session, scope):
        limit = max(1, PROMOTED_AT_ONCE // index.dimension)
        last = await VectorPromoter(session, scope).promote(index, after, limit)
    context.progressed()
    return last


async def _finish(context: JobContext, payload: PromoteVectors, index: KnownIndex) -> bool:
    try:
        async with context.begin(payload) as (session, scope):
            return await VectorPromoter(session, scope).finish(index)
    except DBAPIError as error:
        if was_lock_timeout(error):
            return False
        raise
