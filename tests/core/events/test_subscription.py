from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from contextlib import AsyncExitStack, asynccontextmanager
from datetime import timedelta
from uuid import UUID

import asyncpg
import orjson
import pytest
from sqlalchemy.exc import DBAPIError

from partywall.core.clock import unix_time
from partywall.core.db.scoped_access import ScopedReader
from partywall.core.errors import MissingRightError
from partywall.core.events import pace
from partywall.core.events import subscription as feeds
from partywall.core.events.batches import read_batch
from partywall.core.events.log_tailer import LogTailer
from partywall.core.events.pace import DeliveryPace
from partywall.core.events.past_reads import event_reads
from partywall.core.events.subscription import StreamOptions, Subscription
from partywall.core.resources import Resources
from partywall.core.tenancy import ProjectScope
from partywall.testing.engines import DatabaseUrls
from partywall.testing.users import Person, Users
from tests.features.live.event_writer import write


def anyone(_: ProjectScope) -> None:
    """Allows every member to read."""


@asynccontextmanager
async def followed(
    resources: Resources, person: Person, project: UUID, after: int | None = None
) -> AsyncIterator[Subscription]:
    terms = StreamOptions(anyone, unix_time() + 60, timedelta(seconds=5))
    subscription = await resources.tailers.follow(
        ScopedReader(resources.reads, person.principal), project, terms, after
    )
    try:
        yield subscription
    finally:
        subscription.close()


def ids(chunk: bytes | None) -> list[int]:
    assert chunk is not None
    return [int(line[4:]) for line in chunk.split(b"\n") if line.startswith(b"id: ")]


async def test_a_slow_reader_resumes_where_it_stopped(users: Users, resources: Resources) -> None:
    owner = await users.person()
    project = await owner.project()
    async with followed(resources, owner, project) as slow, followed(resources, owner, project) as quick:
        first = asyncio.create_task(slow.next())
        seen: list[int] = []

        async def read_quickly() -> None:
            while len(seen) < feeds.QUEUE_LIMIT + 500:
                seen.extend(ids(await quick.next()))

        reading = asyncio.create_task(read_quickly())
        await asyncio.sleep(0)
        await write(resources, owner, project, "first")
        got = ids(await first)
        while len(seen) < feeds.QUEUE_LIMIT + 400:
            await write(resources, owner, project, *(str(number) for number in range(100)))
            await asyncio.sleep(0.05)
        reading.cancel()
        chunk = await slow.next()
        assert chunk is not None
        assert chunk.startswith(b"id: %d\nevent: reconnect\n" % got[-1])
        assert orjson.loads(chunk.split(b"data: ")[1])["data"] == {"reason": "too_slow"}
        assert await slow.next() is None
    async with followed(resources, owner, project, after=got[-1]) as resumed:
        rest: list[int] = []
        while len(rest) < feeds.QUEUE_LIMIT:
            rest.extend(ids(await resumed.next()))
        assert rest == list(range(got[-1] + 1, got[-1] + 1 + len(rest)))


async def test_access_is_checked_on_subscription(users: Users, resources: Resources) -> None:
    owner = await users.person()
    project = await owner.project()

    def refuse(_: ProjectScope) -> None:
        raise MissingRightError("event.read")

    terms = StreamOptions(refuse, unix_time() + 60, timedelta(seconds=5))
    with pytest.raises(MissingRightError):
        await resources.tailers.follow(ScopedReader(resources.reads, owner.principal), project, terms)


async def test_a_right_that_the_role_loses_ends_the_subscription(users: Users, resources: Resources) -> None:
    owner = await users.person()
    project = await owner.project()
    allowed = True

    def require(_: ProjectScope) -> None:
        if not allowed:
            raise MissingRightError("event.read")

    terms = StreamOptions(require, unix_time() + 60, timedelta(seconds=5))
    subscription = await resources.tailers.follow(ScopedReader(resources.reads, owner.principal), project, terms)
    waiting = asyncio.create_task(subscription.next())
    await asyncio.sleep(0.2)
    allowed = False
    await write(resources, owner, project, "secret")
    async with asyncio.timeout(60):
        assert await waiting is None
    subscription.close()


async def test_a_subscription_survives_lost_database_connections(
    users: Users, resources: Resources, database: DatabaseUrls
) -> None:
    owner = await users.person()
    project = await owner.project()
    async with followed(resources, owner, project) as subscription:
        waiting = asyncio.create_task(subscription.next())
        await asyncio.sleep(0.2)
        connection = await asyncpg.connect(DatabaseUrls.dsn(database.superuser))
        await connection.execute(
            "SELECT pg_terminate_backend(pid) FROM pg_stat_activity"
            " WHERE datname = current_database() AND pid <> pg_backend_pid() AND application_name = 'partywall-api'"
        )
        await connection.close()
        async with asyncio.timeout(60):
            await _write_again(resources, owner, project)
            assert ids(await waiting) == [2]


async def _write_again(resources: Resources, owner: Person, project: UUID) -> None:
    """As a client would: the first statements after the loss may be the ones that notice it."""
    while True:
        try:
            await write(resources, owner, project, "after")
        except DBAPIError:
            await asyncio.sleep(0.05)
        else:
            return


async def test_a_reader_buffers_no_more_than_a_connection_may_hold(
    users: Users, resources: Resources, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(feeds, "CHUNK_BYTES", 3000)
    monkeypatch.setattr(feeds, "QUEUE_BYTES", 3000)
    owner = await users.person()
    project = await owner.project()
    await write(resources, owner, project, *"abcdefgh", size=800)
    async with followed(resources, owner, project, after=0) as subscription:
        chunks = [ids(await subscription.next()) for _ in range(4)]
        assert [number for chunk in chunks for number in chunk] == list(range(1, 10))
        assert all(len(chunk) <= 3 for chunk in chunks)
        waiting = asyncio.create_task(subscription.next())
        await asyncio.sleep(0.1)
        for name in "ijklmnop":
            await write(resources, owner, project, name, size=1500)
        first = ids(await waiting)[0]
        async with asyncio.timeout(60):
            while subscription.ended is None:
                await asyncio.sleep(0.02)
        chunk = await subscription.next()
        assert chunk is not None
        assert b"too_slow" in chunk
        assert ids(chunk)[0] in (first, first + 1)
        assert not subscription._queue


async def test_an_account_reads_past_events_for_one_stream_at_a_time(users: Users, resources: Resources) -> None:
    owner, other = await users.person(), await users.person()
    project, theirs = await owner.project(), await other.project()
    async with (
        resources.tailers.reading(owner.id),
        followed(resources, owner, project, after=0) as held,
        followed(resources, other, theirs, after=0) as free,
        asyncio.timeout(60),
    ):
        reading = asyncio.create_task(held.next())
        assert ids(await free.next()) == [1]
        assert not reading.done()
        reading.cancel()


@pytest.mark.parametrize(("seconds", "turns"), [(0.0, 0), (1.0, 2)])
async def test_costly_deliveries_let_other_tasks_run_in_between(
    users: Users, resources: Resources, monkeypatch: pytest.MonkeyPatch, seconds: float, turns: int
) -> None:
    for name in ("STREAM", "EVENT", "BYTE"):
        monkeypatch.setattr(pace, name, seconds)
    owner = await users.person()
    project = await owner.project()
    others = 0

    async def count() -> None:
        nonlocal others
        while True:
            await asyncio.sleep(0)
            others += 1

    async with AsyncExitStack() as stack:
        feed = [await stack.enter_async_context(followed(resources, owner, project)) for _ in range(3)]
        tailer = LogTailer(resources.reads, feed[0].scope, 0, timedelta(1), event_reads(1, 1), DeliveryPace())
        tailer.subscriptions.update(feed)
        reader = ScopedReader(resources.reads, owner.principal)
        batch = await read_batch(reader, project, after=0, callers={feed[0].caller})
        counting = asyncio.create_task(count())
        await asyncio.sleep(0)
        served, used = await tailer._hand_out(batch)
        counting.cancel()
        assert (served, min(others, 2), used > 0) == (set(feed), turns, seconds > 0)
