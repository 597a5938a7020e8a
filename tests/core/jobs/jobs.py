"""Kinds of jobs for tests, and a worker that runs them."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from uuid import uuid4

from sqlalchemy import text

from partywall.core.jobs import dead_letter
from partywall.core.jobs.kinds import JobHandler, JobKind
from partywall.core.jobs.payloads import JobPayload, ProjectJobPayload
from partywall.core.jobs.runner import JobRunner
from partywall.core.jobs.schedules import Schedule
from partywall.core.resources import Resources
from partywall.testing.engines import DatabaseUrls


class Note(JobPayload):
    text: str


class InProject(ProjectJobPayload):
    note: str = ""


def kind_of[P: JobPayload](payload: type[P], max_attempts: int = 3) -> JobKind[P]:
    return JobKind(f"test_{uuid4().hex}", payload, max_attempts)


@asynccontextmanager
async def working(
    resources: Resources, database: DatabaseUrls, *handlers: JobHandler, schedules: tuple[Schedule, ...] = ()
) -> AsyncIterator[None]:
    stop = asyncio.Event()
    async with asyncio.TaskGroup() as group:
        group.create_task(JobRunner(resources, handlers, schedules).run(stop))
        try:
            yield
        finally:
            stop.set()


async def queued(resources: Resources, kind: JobKind[JobPayload] | JobKind[Note] | JobKind[InProject]) -> int:
    async with resources.sessions.read() as session:
        count = await session.scalar(text("SELECT count(*) FROM job WHERE kind = :k"), {"k": kind.name})
    return int(count or 0)


async def dead_letters_of(resources: Resources, name: str) -> list[dead_letter.DeadLetter]:
    async with resources.sessions.read() as session:
        return [job for job in await dead_letter.list_dead_letters(session) if job.kind == name]


async def is_done(resources: Resources, kind: JobKind[Note] | JobKind[InProject]) -> bool:
    return await queued(resources, kind) == 0


async def is_delayed(resources: Resources, kind: JobKind[Note]) -> bool:
    query = text("SELECT EXISTS (SELECT FROM job WHERE kind = :kind AND state = 'delayed')")
    async with resources.sessions.read() as session:
        return bool(await session.scalar(query, {"kind": kind.name}))


async def is_dead_letter(resources: Resources, name: str) -> bool:
    return bool(await dead_letters_of(resources, name))
