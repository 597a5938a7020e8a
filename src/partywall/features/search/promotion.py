"""Moves the vectors of a project that has grown large into the shared HNSW index, in batches.

Until all are in, searches of the project compare every vector. Batches rest in between, so that the promotion takes a
third of a processor at most from the documents that are being indexed.
"""

from __future__ import annotations

import asyncio
from contextlib import suppress
from typing import Final

from sqlalchemy.exc import DBAPIError

from partywall.core.db.locks import was_lock_timeout
from partywall.core.jobs.context import AnotherAttemptError, JobContext
from partywall.features.search.constants import PROMOTED_AT_ONCE
from partywall.features.search.index_repository import IndexReader, KnownIndex
from partywall.features.search.jobs import PromoteVectors
from partywall.features.search.promotion_repository import VectorPromoter

# A rest takes so many times as long as the batch before it, and at most so many seconds.
REST: Final = 2.0
LONGEST_REST: Final = 2.0


async def promote_vectors(context: JobContext, payload: PromoteVectors) -> None:
    """Idempotent: an attempt continues with the vectors that are not promoted yet."""
    async with context.read(payload) as (session, scope):
        known = await IndexReader(session, scope).indexes()
    index = next((each for each in known if each.id == payload.index and not each.approximate), None)
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
