"""How a worker polls, runs schedules, outlives a broken connection and stops."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable
from dataclasses import replace
from datetime import timedelta
from uuid import uuid4

import pytest
from sqlalchemy.exc import DBAPIError

from partywall.core import shutdown
from partywall.core.events.listener import Listener
from partywall.core.job_waker import JobWaker
from partywall.core.jobs.context import JobContext
from partywall.core.jobs.kinds import JobKind, handles
from partywall.core.jobs.queue import enqueue
from partywall.core.jobs.runner import JobRunner
from partywall.core.jobs.schedules import Schedule
from partywall.core.resources import Resources
from partywall.testing.conditions import until
from partywall.testing.engines import DatabaseUrls
from partywall.testing.users import Users
from tests.core.jobs.jobs import Note, dead_letters_of, is_done, kind_of, queued, working

pytestmark = pytest.mark.usefixtures("quick")


async def test_the_worker_outlives_a_broken_connection(
    resources: Resources, database: DatabaseUrls, users: Users
) -> None:
    kind = kind_of(Note)
    seen: list[str] = []

    async def handle(context: JobContext, payload: Note) -> None:
        seen.append(payload.text)

    async with working(resources, database, handles(kind, handle)):
        await asyncio.sleep(0.5)
        await users.execute(
            "SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE datname = current_database()"
            " AND query LIKE '%job%' AND pid <> pg_backend_pid()"
        )
        await until(lambda: _unless_broken(_enqueued(resources, kind, "after the break")))
        await until(lambda: _unless_broken(is_done(resources, kind)))
    assert seen == ["after the break"]


async def _enqueued(resources: Resources, kind: JobKind[Note], text: str) -> bool:
    async with resources.sessions.begin() as session:
        await enqueue(session, kind, Note(text=text))
    return True


async def _unless_broken(asked: Awaitable[bool]) -> bool:
    """A connection may notice only on use that its server is gone."""
    try:
        return await asked
    except DBAPIError:
        return False


async def test_without_a_notification_the_worker_polls(resources: Resources, database: DatabaseUrls) -> None:
    """No notification arrives while the cache is unreachable."""
    kind = kind_of(Note)
    seen: list[str] = []

    async def handle(context: JobContext, payload: Note) -> None:
        seen.append(payload.text)

    deaf = replace(resources, waker=JobWaker(resources.cache, Listener(resources.cache)))
    async with working(deaf, database, handles(kind, handle)):
        async with resources.sessions.begin() as session:
            await enqueue(session, kind, Note(text="unheard"))
        await until(lambda: is_done(resources, kind))
    assert seen == ["unheard"]


async def test_a_schedule_runs(resources: Resources, database: DatabaseUrls) -> None:
    ran = asyncio.Event()

    async def tick(_: Resources) -> None:
        ran.set()

    every_second = Schedule(f"test_{uuid4().hex}", "* * * * * *", tick)
    async with working(resources, database, schedules=(every_second,)), asyncio.timeout(60):
        await ran.wait()


def with_rare_polling(resources: Resources) -> Resources:
    settings = resources.settings
    jobs = settings.jobs.model_copy(update={"poll_interval": timedelta(hours=1)})
    return replace(resources, settings=settings.model_copy(update={"jobs": jobs}))


async def test_a_worker_without_running_jobs_stops_at_once(resources: Resources) -> None:
    kind, begun, stop, release = kind_of(Note), asyncio.Event(), asyncio.Event(), asyncio.Event()

    async def handle(context: JobContext, payload: Note) -> None:
        begun.set()
        await release.wait()

    async with resources.sessions.begin() as session:
        await enqueue(session, kind, Note(text="in hand"))
    async with asyncio.timeout(60), asyncio.TaskGroup() as group:
        group.create_task(JobRunner(with_rare_polling(resources), [handles(kind, handle)]).run(stop))
        await begun.wait()
        stop.set()
        release.set()
    assert await queued(resources, kind) == 0


async def test_a_stopping_worker_requeues_long_jobs_except_last_attempts(
    resources: Resources, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(shutdown, "GRACE_SECONDS", 0.0)
    kinds = kind_of(Note, max_attempts=2), kind_of(Note, max_attempts=1)
    begun, stop, cut = asyncio.Barrier(3), asyncio.Event(), asyncio.Event()

    async def first_attempt(context: JobContext, payload: Note) -> None:
        try:
            await begun.wait()
            await asyncio.Event().wait()
        finally:
            cut.set()

    async def last_attempt(context: JobContext, payload: Note) -> None:
        await begun.wait()
        await cut.wait()

    async with resources.sessions.begin() as session:
        for kind in kinds:
            await enqueue(session, kind, Note(text="in hand"))
    handlers = [handles(kinds[0], first_attempt), handles(kinds[1], last_attempt)]
    async with asyncio.timeout(60), asyncio.TaskGroup() as group:
        group.create_task(JobRunner(with_rare_polling(resources), handlers).run(stop))
        await begun.wait()
        stop.set()
    assert [await queued(resources, kind) for kind in kinds] == [1, 0]
    assert not [job for kind in kinds for job in await dead_letters_of(resources, kind.name)]
