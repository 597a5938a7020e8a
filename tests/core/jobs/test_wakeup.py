"""The cache notifies workers of new jobs after the commit; idle workers send few queries."""

from __future__ import annotations

import asyncio
from dataclasses import replace
from datetime import timedelta

import pytest
from redis.exceptions import ConnectionError as RedisConnectionError

from partywall.core import job_waker
from partywall.core.db.read_pool import ReadPool
from partywall.core.events.listener import Listener
from partywall.core.jobs import runner
from partywall.core.jobs.context import JobContext
from partywall.core.jobs.kinds import handles
from partywall.core.jobs.queue import enqueue
from partywall.core.resources import Resources
from partywall.testing.conditions import until
from partywall.testing.engines import DatabaseUrls
from partywall.testing.users import Users
from tests.core.jobs.jobs import Note, kind_of, working

NEVER = timedelta(hours=1)


def patient(resources: Resources) -> Resources:
    """Polls once an hour."""
    jobs = resources.settings.jobs.model_copy(update={"poll_interval": NEVER, "heartbeat_timeout": NEVER})
    return replace(resources, settings=resources.settings.model_copy(update={"jobs": jobs}))


@pytest.fixture
def asked(monkeypatch: pytest.MonkeyPatch) -> list[str]:
    """The statements of the queue, in order."""
    found: list[str] = []
    fetch = ReadPool.fetch

    async def counting(self: ReadPool, query: str, *args: object) -> object:
        if "pending_events" not in query and "number_events" not in query:  # those number the events of requests
            found.append(query)
        return await fetch(self, query, *args)

    monkeypatch.setattr(ReadPool, "fetch", counting)
    return found


async def test_a_worker_that_does_not_poll_is_woken(
    resources: Resources, database: DatabaseUrls, users: Users, asked: list[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    """By a session's commit. Each poll of an idle worker is one statement."""
    monkeypatch.setattr(runner, "SHORTEST_PAUSE_SECONDS", NEVER.total_seconds())
    kind, ran = kind_of(Note), asyncio.Event()

    async def handle(_: JobContext, __: Note) -> None:
        ran.set()

    async with working(patient(resources), database, handles(kind, handle)), asyncio.timeout(60):
        while await _asks(asked):
            pass
        assert 1 <= len(asked) <= 6
        assert all("wall.job_lines" in sql for sql in asked)
        async with resources.sessions.begin() as session:
            await enqueue(session, kind, Note(text="x"))
        await ran.wait()


async def _asks(asked: list[str]) -> bool:
    before = len(asked)
    await asyncio.sleep(0.3)
    return not asked or len(asked) > before


async def test_a_rollback_wakes_no_worker(resources: Resources, users: Users) -> None:
    woken: list[bool] = []
    with resources.waker.followed_by(lambda: woken.append(True)):
        async with asyncio.timeout(60):
            while not woken:  # once the subscription has begun
                await asyncio.sleep(0.01)
        woken.clear()
        with pytest.raises(RuntimeError):
            await _fail(resources)
        assert await resources.waker.flush()
        async with resources.sessions.begin() as session:
            await enqueue(session, kind_of(Note), Note(text="kept"))
        await until(lambda: bool(woken))
    assert woken == [True]


async def _fail(resources: Resources) -> None:
    async with resources.sessions.begin() as session:
        await enqueue(session, kind_of(Note), Note(text="never"))
        raise RuntimeError


async def test_a_failed_notification_is_sent_later(resources: Resources, monkeypatch: pytest.MonkeyPatch) -> None:
    """One message covers all that have gathered."""
    published: list[str] = []

    async def publish(channel: str, _: bytes) -> None:
        published.append(channel)
        if len(published) == 1:
            raise RedisConnectionError

    waker = job_waker.JobWaker(resources.cache, Listener(resources.cache))
    monkeypatch.setattr(resources.cache, "publish", publish)
    for _ in range(3):
        waker.wake()
    assert [await waker.flush() for _ in range(3)] == [False, True, True]
    assert published == ["partywall:jobs"] * 2


async def test_no_trigger_sends_notify(users: Users) -> None:
    """NOTIFY holds a lock of the whole cluster until the commit is on disk."""
    triggers = "SELECT tgname FROM pg_trigger WHERE tgrelid = 'job'::regclass AND NOT tgisinternal"
    assert await users.fetch(triggers) == []
    functions = "SELECT proname FROM pg_proc WHERE pronamespace IN ('wall'::regnamespace, 'public'::regnamespace)"
    assert await users.fetch(f"{functions} AND prosrc ILIKE '%notify%'") == []
