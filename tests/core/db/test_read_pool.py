from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from contextlib import AsyncExitStack

import asyncpg
import pytest

from partywall.core.db.engine import create_read_pool, server_settings
from partywall.core.db.read_pool import ReadPool
from partywall.testing.engines import DatabaseUrls, Superuser

BACKEND = "SELECT pg_backend_pid()"
SIZE, EACH = 4, 3


@pytest.fixture
async def pool(database: DatabaseUrls) -> AsyncIterator[ReadPool]:
    pool = await create_read_pool(database.runtime, size=SIZE, settings=server_settings("tests", 15_000))
    yield pool
    pool.terminate()


async def at_the_same_time(pool: ReadPool) -> set[object]:
    """The connections that one tenant gets when it asks for as many as it may have."""
    async with AsyncExitStack() as stack:
        connections = [await stack.enter_async_context(pool.acquire()) for _ in range(EACH)]
        return {await connection.fetchval(BACKEND) for connection in connections}


async def test_a_connection_is_used_again(pool: ReadPool) -> None:
    assert len({await pool.fetchval(BACKEND) for _ in range(5)}) == 1
    several = await at_the_same_time(pool)
    assert len(several) == EACH
    assert {await pool.fetchval(BACKEND) for _ in range(5)} < several


async def test_a_statement_that_fails_costs_no_connection(pool: ReadPool) -> None:
    before = await pool.fetchval(BACKEND)
    with pytest.raises(asyncpg.DivisionByZeroError):
        await pool.fetchrow("SELECT 1 / 0")
    with pytest.raises(asyncpg.DataError):
        await pool.fetch("SELECT $1::integer", "x")
    assert await pool.fetchval(BACKEND) == before


@pytest.mark.parametrize("limit", [0.01, None])
async def test_a_cancelled_result_is_not_read_by_the_next_caller(pool: ReadPool, limit: float | None) -> None:
    before = await pool.fetchval(BACKEND)
    task = asyncio.create_task(pool.fetchrow("SELECT pg_sleep(60), 'late'", timeout=limit))
    while not pool.slots.in_use:
        await asyncio.sleep(0)
    if limit is None:
        task.cancel()
    with pytest.raises((TimeoutError, asyncio.CancelledError)):
        await task
    assert pool.slots.in_use == 0
    after = [await pool.fetchval(BACKEND) for _ in range(2)]
    assert before not in after


async def test_a_connection_that_the_server_has_ended_is_replaced(pool: ReadPool, kept: Superuser) -> None:
    before = await pool.fetchval(BACKEND)
    await kept.execute("SELECT pg_terminate_backend($1)", before)
    while before is not None:
        try:
            before = None if await pool.fetchval(BACKEND) != before else before
        except (asyncpg.PostgresError, asyncpg.InterfaceError, asyncpg.InternalClientError, ConnectionError):
            continue
    assert (pool.slots.in_use, len(await at_the_same_time(pool))) == (0, EACH)


async def test_unused_connections_are_closed(pool: ReadPool) -> None:
    several = await at_the_same_time(pool)
    assert len(several) == EACH
    pool._close_unused()  # they were needed since the last check
    assert await at_the_same_time(pool) == several
    pool._close_unused()
    pool._close_unused()
    assert len(await at_the_same_time(pool) & several) == 1


async def test_a_closed_pool_keeps_no_connection(pool: ReadPool) -> None:
    async with pool.acquire() as connection:
        pool.terminate()
        assert connection.is_closed()
    assert pool.slots.in_use == 0
    pool.terminate()
