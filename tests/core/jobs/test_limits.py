"""How many jobs of a kind one worker takes, and that no kind blocks another."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from contextlib import AsyncExitStack, asynccontextmanager
from dataclasses import dataclass, field

from sqlalchemy import text

from partywall.core.jobs.context import JobContext
from partywall.core.jobs.kinds import Concurrency, JobHandler, JobKind, handles
from partywall.core.jobs.queue import enqueue
from partywall.core.resources import Resources
from partywall.testing.conditions import until
from partywall.testing.engines import DatabaseUrls
from tests.core.jobs.jobs import Note, kind_of, working

MANY = 20


@dataclass(slots=True)
class Slow:
    """A kind whose jobs run until they are released."""

    kind: JobKind[Note] = field(default_factory=lambda: kind_of(Note))
    let_go: asyncio.Event = field(default_factory=asyncio.Event)
    running: int = 0
    most: int = 0
    done: int = 0

    def handler(self, concurrency: Concurrency) -> JobHandler:
        return handles(self.kind, self._run, concurrency=concurrency)

    async def _run(self, context: JobContext, payload: Note) -> None:
        self.running += 1
        self.most = max(self.most, self.running)
        await self.let_go.wait()
        await asyncio.sleep(0.01)
        self.running -= 1
        self.done += 1


@asynccontextmanager
async def hung(resources: Resources, database: DatabaseUrls, slow: Slow, *others: JobHandler) -> AsyncIterator[None]:
    """A worker that takes two of the slow jobs at once; they are released before it stops."""
    async with working(resources, database, slow.handler(2), *others):
        try:
            yield
        finally:
            slow.let_go.set()


async def fill(resources: Resources, kind: JobKind[Note], count: int = MANY) -> None:
    async with resources.sessions.begin() as session:
        for number in range(count):
            await enqueue(session, kind, Note(text=str(number)))


async def taken(resources: Resources, kind: JobKind[Note]) -> int:
    """The number of these jobs that a worker has taken off the queue."""
    query = text("SELECT count(*) FROM job WHERE kind = :kind AND lease IS NOT NULL")
    async with resources.sessions.read() as session:
        return int(await session.scalar(query, {"kind": kind.name}) or 0)


async def test_a_hanging_kind_blocks_no_other(resources: Resources, database: DatabaseUrls) -> None:
    """Although its jobs are older, and more than a worker runs at once."""
    slow, quick = Slow(), Slow()
    quick.let_go.set()
    async with hung(resources, database, slow, quick.handler(1)):
        await fill(resources, slow.kind)
        await until(lambda: _runs(slow, 2))
        await fill(resources, quick.kind, 5)
        await until(lambda: _has_done(quick, 5), 5)
        assert (slow.running, slow.done) == (2, 0)
        assert await taken(resources, slow.kind) == 2, "a job that has not begun stays on the queue for every worker"
        slow.let_go.set()
        await until(lambda: _has_done(slow, MANY))
    assert slow.most == 2
    assert quick.most == 1


async def test_the_limit_is_each_workers_own(resources: Resources, database: DatabaseUrls) -> None:
    """A second worker adds its own share: that is the reason to start one."""
    slow = Slow()
    async with AsyncExitStack() as workers:
        await workers.enter_async_context(hung(resources, database, slow))
        await fill(resources, slow.kind)
        await until(lambda: _runs(slow, 2))
        await workers.enter_async_context(hung(resources, database, slow))
        await until(lambda: _runs(slow, 4))
        assert await taken(resources, slow.kind) == 4
        slow.let_go.set()
        await until(lambda: _has_done(slow, MANY))
    assert slow.most == 4


async def test_the_limit_can_be_set(resources: Resources, database: DatabaseUrls) -> None:
    slow, slots = Slow(), resources.settings.agents.concurrency
    assert 2 < slots < MANY
    async with working(resources, database, slow.handler(lambda resources: resources.settings.agents.concurrency)):
        try:
            await fill(resources, slow.kind)
            await until(lambda: _runs(slow, slots))
        finally:
            slow.let_go.set()
        await until(lambda: _has_done(slow, MANY))
    assert slow.most == slots


async def test_a_retried_job_releases_its_slot(resources: Resources, database: DatabaseUrls) -> None:
    kind = kind_of(Note, max_attempts=2)
    tried: list[tuple[str, int]] = []

    async def handle(context: JobContext, payload: Note) -> None:
        tried.append((payload.text, context.attempt))
        if context.attempt == 1:
            raise ValueError("not yet")

    async with working(resources, database, handles(kind, handle)):
        await fill(resources, kind, 5)
        await until(lambda: _tried(tried, 10))
    assert sorted(tried) == [(str(number), attempt) for number in range(5) for attempt in (1, 2)]


async def _runs(slow: Slow, count: int) -> bool:
    return slow.running == count


async def _has_done(slow: Slow, count: int) -> bool:
    return slow.done == count


async def _tried(tried: list[tuple[str, int]], count: int) -> bool:
    return len(tried) == count
