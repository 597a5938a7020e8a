from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator

import pytest
from sqlalchemy import text
from sqlalchemy.exc import DBAPIError, PendingRollbackError
from sqlalchemy.pool import ConnectionPoolEntry
from sqlalchemy.util import await_only

from partywall.core.db.driver_errors import NoConnectionError
from partywall.core.db.engine import close_unused, create_engine, create_read_pool, server_settings
from partywall.core.db.pools import UNUSED_SECONDS, PoolDemand, SharedQueuePool
from partywall.core.db.read_pool import ReadPool
from partywall.core.db.session import Sessions
from partywall.core.http.problems import system_fact
from partywall.core.tenant import Tenant, current_tenant, set_current_tenant
from partywall.testing.engines import DatabaseUrls

OPTIONS = server_settings("tests", 15_000)
GREEDY, HONEST = Tenant("greedy"), Tenant("honest")


@pytest.fixture
async def pool(database: DatabaseUrls) -> AsyncIterator[ReadPool]:
    pool = await create_read_pool(database.runtime, size=3, settings=OPTIONS)
    yield pool
    pool.terminate()


@pytest.fixture
async def sessions(database: DatabaseUrls) -> AsyncIterator[tuple[Sessions, SharedQueuePool]]:
    engine = create_engine(database.runtime, pool_size=2, overflow=1, settings=OPTIONS)
    assert isinstance(engine.sync_engine.pool, SharedQueuePool)
    yield Sessions(engine), engine.sync_engine.pool
    await engine.dispose()


async def test_a_tenant_that_waits_for_locks_leaves_statements_to_others(
    pool: ReadPool, database: DatabaseUrls
) -> None:
    async def greedy() -> None:
        set_current_tenant(GREEDY)
        await pool.fetchrow("SELECT pg_sleep(60)")

    tasks = [asyncio.create_task(greedy()) for _ in range(10)]
    await asyncio.sleep(0)
    set_current_tenant(HONEST)
    async with asyncio.timeout(60):
        assert await pool.fetch("SELECT 1") == [(1,)]
    for task in tasks:
        task.cancel()
    await asyncio.gather(*tasks, return_exceptions=True)
    assert pool.slots.in_use == 0


async def test_transactions_of_one_tenant_leave_a_connection_to_others(
    sessions: tuple[Sessions, SharedQueuePool],
) -> None:
    making, pool = sessions
    release = asyncio.Event()

    async def hold() -> None:
        set_current_tenant(GREEDY)
        async with making.begin() as session:
            await session.execute(text("SELECT 1"))
            await release.wait()

    async with asyncio.TaskGroup() as group:
        for _ in range(3):
            group.create_task(hold())
        while pool.slots.waiting == 0:
            await asyncio.sleep(0)
        set_current_tenant(HONEST)
        async with asyncio.timeout(60), making.read() as session:
            assert await session.scalar(text("SELECT 2")) == 2
        assert (pool.slots.in_use, pool.slots.waiting) == (2, 1), "the greedy tenant waits for its own connections"
        release.set()
    assert pool.slots.in_use == 0


async def test_slots_are_released_after_failures(sessions: tuple[Sessions, SharedQueuePool]) -> None:
    making, pool = sessions
    set_current_tenant(GREEDY)
    for _ in range(5):
        with pytest.raises(DBAPIError):
            async with making.begin() as session:
                await session.execute(text("SELECT 1 / 0"))
        with pytest.raises(PendingRollbackError):
            async with making.begin() as session:
                await (await session.connection()).invalidate()
    assert pool.slots.in_use == 0


async def test_a_lock_timeout_is_a_503(database: DatabaseUrls) -> None:
    options = server_settings("tests", 15_000, lock_timeout=50)
    engine = create_engine(database.runtime, pool_size=2, overflow=0, settings=options)
    lock = text("SELECT pg_advisory_xact_lock(hashtext('a lock of the tests'))")
    set_current_tenant(GREEDY)
    async with Sessions(engine).begin() as holder:
        await holder.execute(lock)
        set_current_tenant(HONEST)
        with pytest.raises(DBAPIError) as refused:
            async with Sessions(engine).begin() as waiter:
                await waiter.execute(lock)
    assert system_fact(refused.value).status == 503
    await engine.dispose()


async def test_an_engine_that_cannot_connect_holds_no_slot() -> None:
    engine = create_engine("postgresql://nobody@127.0.0.1:1/nothing", pool_size=1, overflow=0, settings=OPTIONS)
    pool = engine.sync_engine.pool
    assert isinstance(pool, SharedQueuePool)
    for _ in range(3):
        with pytest.raises(NoConnectionError) as refused:
            async with Sessions(engine).read() as session:
                await session.execute(text("SELECT 1"))
        assert system_fact(refused.value).status == 503
    assert pool.slots.in_use == 0
    await engine.dispose()


async def test_work_without_a_tenant_runs_as_system() -> None:
    assert current_tenant().name == "system"
    set_current_tenant(HONEST)
    assert await asyncio.create_task(_name()) == "honest"


async def _name() -> str:
    return current_tenant().name


async def test_an_unused_connection_is_closed(
    sessions: tuple[Sessions, SharedQueuePool],
) -> None:
    making, pool = sessions
    now = 0.0
    pool.demand = PoolDemand(2, lambda: now)

    async def backend() -> int:
        async with making.read() as session:
            return int(await session.scalar(text("SELECT pg_backend_pid()")))

    both = asyncio.Barrier(2)

    async def beside_another() -> int:
        async with making.read() as session:
            found = int(await session.scalar(text("SELECT pg_backend_pid()")))
            await both.wait()
            return found

    several = {*await asyncio.gather(beside_another(), beside_another())}
    assert len(several) == 2
    now += UNUSED_SECONDS
    assert {await backend() for _ in range(4)} == several, "they were needed a moment ago"
    now += UNUSED_SECONDS
    assert await backend() in several
    assert (pool.checkedin(), pool.checkedout()) == (1, 0)
    assert len({await backend() for _ in range(4)} & several) == 1


class _OneLeftError(Exception):
    pass


async def test_connections_of_an_unused_pool_are_closed_but_one(
    database: DatabaseUrls, monkeypatch: pytest.MonkeyPatch
) -> None:
    engine = create_engine(database.runtime, pool_size=4, overflow=0, settings=OPTIONS)
    sessions, pool = Sessions(engine), engine.sync_engine.pool
    assert isinstance(pool, SharedQueuePool)
    together = asyncio.Barrier(3)

    async def use() -> None:
        async with sessions.read() as session:
            await session.execute(text("SELECT 1"))
            await together.wait()

    await asyncio.gather(use(), use(), use())
    assert pool.checkedin() == 3
    now = 0.0
    pool.demand = PoolDemand(3, lambda: now)

    async def passes(seconds: float) -> None:
        nonlocal now
        now += seconds
        if pool.checkedin() == 1:
            raise _OneLeftError

    monkeypatch.setattr("partywall.core.db.engine.asyncio.sleep", passes)
    async with asyncio.timeout(60):
        with pytest.raises(_OneLeftError):
            await close_unused(engine)
    assert now >= 2 * UNUSED_SECONDS
    assert pool.checkedin() == 1
    await engine.dispose()


def test_demand_is_the_peak_of_the_current_and_previous_period() -> None:
    now = 0.0
    demand = PoolDemand(5, lambda: now)
    demand.note(3)
    assert demand.most == 5
    now += UNUSED_SECONDS
    demand.note(1)
    assert demand.most == 3
    now += 2 * UNUSED_SECONDS
    demand.note(1)
    assert demand.most == 1


async def test_a_connection_is_reused_while_another_is_closed(
    database: DatabaseUrls, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The task that takes a connection just returned keeps it and its slot."""
    engine = create_engine(database.runtime, pool_size=2, overflow=0, settings=OPTIONS)
    sessions, pool = Sessions(engine), engine.sync_engine.pool
    assert isinstance(pool, SharedQueuePool)
    closing, closed, drop = asyncio.Event(), asyncio.Event(), pool._drop

    def slowly(record: ConnectionPoolEntry) -> None:
        closing.set()
        await_only(closed.wait())
        drop(record)

    async def use() -> None:
        async with sessions.read() as session:
            await session.execute(text("SELECT 1"))

    async with sessions.read() as one, sessions.read() as other:
        for session in (one, other):
            await session.execute(text("SELECT 1"))
    monkeypatch.setattr(pool, "_drop", slowly)
    pool.demand = PoolDemand(1)
    giving_back = asyncio.create_task(use())
    await closing.wait()
    async with sessions.read() as session:
        await session.execute(text("SELECT 1"))
        closed.set()
        await giving_back
        assert pool.slots.in_use == 1
    assert pool.slots.in_use == 0
    await engine.dispose()
