"""Jobs whose worker was lost: one may have killed it, and must not take the others with it again."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from contextlib import AsyncExitStack, asynccontextmanager
from dataclasses import dataclass, field
from datetime import timedelta

import pytest
from sqlalchemy import text

from partywall.core.jobs import crash_quarantine, dead_letter
from partywall.core.jobs.context import AnotherAttemptError, JobContext
from partywall.core.jobs.kinds import JobHandler, JobKind, handles
from partywall.core.jobs.queue import enqueue
from partywall.core.resources import Resources
from partywall.testing.conditions import until
from partywall.testing.engines import DatabaseUrls
from tests.core.jobs.jobs import Note, kind_of, working
from tests.core.jobs.test_limits import fill

ALL = ["0", "1", "2", "3"]


@dataclass(slots=True)
class Watched:
    """A kind whose jobs block until they are released; keeps each job's context."""

    kind: JobKind[Note] = field(default_factory=lambda: kind_of(Note))
    at_work: dict[str, JobContext] = field(default_factory=dict)
    begun: list[str] = field(default_factory=list)
    requeue: int = 0
    let_go: asyncio.Semaphore = field(default_factory=lambda: asyncio.Semaphore(0))

    def release_all(self) -> None:
        for _ in range(100):
            self.let_go.release()

    @property
    def handler(self) -> JobHandler:
        return handles(self.kind, self._run, concurrency=10)

    async def _run(self, context: JobContext, payload: Note) -> None:
        self.begun.append(payload.text)
        if context.attempt <= self.requeue:
            raise AnotherAttemptError("not here")
        self.at_work[payload.text] = context
        await self.let_go.acquire()
        del self.at_work[payload.text]

    async def begins(self, *names: str) -> None:
        """Waits until exactly these jobs run."""
        await until(lambda: self._are_at_work(set(names)))

    async def _are_at_work(self, names: set[str]) -> bool:
        return self.at_work.keys() == names


@asynccontextmanager
async def watching(resources: Resources, database: DatabaseUrls, *kinds: Watched) -> AsyncIterator[None]:
    """A worker whose jobs are released before it stops."""
    async with working(resources, database, *(each.handler for each in kinds)):
        try:
            yield
        finally:
            for each in kinds:
                each.release_all()


async def mark_worker_lost(resources: Resources, *kinds: JobKind[Note]) -> None:
    """Leaves them as a worker that was killed an hour ago."""
    lost = text(
        "UPDATE job SET state = 'running', lease = gen_random_uuid(),"
        " heartbeat_at = now() - interval '1 hour' WHERE kind = ANY(:kinds)"
    )
    async with resources.sessions.begin() as session:
        await session.execute(lost, {"kinds": [kind.name for kind in kinds]})


async def counted(resources: Resources, kind: JobKind[Note]) -> dict[str, int]:
    """The attempts of each job that was begun and has not ended."""
    query = text("SELECT payload ->> 'text' AS name, attempts FROM job WHERE kind = :kind AND attempts > 0")
    async with resources.sessions.read() as session:
        return {row.name: row.attempts for row in await session.execute(query, {"kind": kind.name})}


async def add(resources: Resources, kind: JobKind[Note], name: str) -> None:
    async with resources.sessions.begin() as session:
        await enqueue(session, kind, Note(text=name))


async def test_one_quarantined_job_runs_at_a_time_next_to_new_ones(
    resources: Resources, database: DatabaseUrls
) -> None:
    """Across kinds; jobs that wait do not count an attempt."""
    watched, other = Watched(), Watched()
    await fill(resources, watched.kind, len(ALL))
    await add(resources, other.kind, "another kind")
    await mark_worker_lost(resources, watched.kind, other.kind)
    async with watching(resources, database, watched, other):
        await watched.begins("0")
        for name in ("new", "newer"):
            await add(resources, other.kind, name)
        await other.begins("new", "newer")
        assert watched.begun == ["0"]
        assert await counted(resources, watched.kind) == {"0": 1}
        watched.let_go.release()
        await watched.begins("1")
        assert other.begun == ["new", "newer"]
        watched.release_all()
        await other.begins("new", "newer", "another kind")
    assert watched.begun == ALL, "the oldest are first"
    assert other.begun == ["new", "newer", "another kind"]


async def test_a_job_with_progress_leaves_quarantine(resources: Resources, database: DatabaseUrls) -> None:
    watched = Watched()
    await fill(resources, watched.kind, 3)
    await mark_worker_lost(resources, watched.kind)
    async with watching(resources, database, watched):
        await watched.begins("0")
        watched.at_work["0"].progressed()
        await watched.begins("0", "1")
        watched.at_work["0"].progressed()  # says nothing about the other
        await add(resources, watched.kind, "new")
        await watched.begins("0", "1", "new")
        watched.at_work["1"].progressed()
        await watched.begins("0", "1", "2", "new")


async def test_each_worker_has_its_own_quarantine_slot(resources: Resources, database: DatabaseUrls) -> None:
    watched = Watched()
    await fill(resources, watched.kind, 3)
    await mark_worker_lost(resources, watched.kind)
    async with AsyncExitStack() as workers:
        await workers.enter_async_context(watching(resources, database, watched))
        await watched.begins("0")
        await workers.enter_async_context(watching(resources, database, watched))
        await watched.begins("0", "1")


async def test_a_hanging_job_blocks_quarantine_only_for_a_time(
    resources: Resources, database: DatabaseUrls, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(crash_quarantine, "MAX_WAIT", timedelta(seconds=0.1))
    watched = Watched()
    await fill(resources, watched.kind, 3)
    await mark_worker_lost(resources, watched.kind)
    async with watching(resources, database, watched):
        await watched.begins("0", "1", "2")


async def test_a_requeued_job_is_not_quarantined(
    resources: Resources, database: DatabaseUrls, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Its worker is alive, or has stopped cleanly."""
    monkeypatch.setattr(dead_letter, "FIRST_DELAY", timedelta(0))
    watched = Watched(requeue=1)
    await fill(resources, watched.kind, 3)
    await mark_worker_lost(resources, watched.kind)
    async with watching(resources, database, watched):
        await watched.begins("0", "1", "2")
        assert sorted(watched.begun) == ["0", "0", "1", "1", "2", "2"]
