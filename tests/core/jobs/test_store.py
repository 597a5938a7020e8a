"""The statements of the queue: what they take and leave, and that they read no more rows than that."""

from __future__ import annotations

import asyncio
from collections import Counter
from datetime import timedelta
from typing import Literal
from uuid import UUID, uuid4

import asyncpg
import pytest
from sqlalchemy import text

from partywall.core.clock import utc_now
from partywall.core.ids import new_id
from partywall.core.jobs.context import JobContext
from partywall.core.jobs.fair_scheduler import ChosenLine, JobLine
from partywall.core.jobs.kinds import JobKind, Limits
from partywall.core.jobs.lease import LeaseLostError
from partywall.core.jobs.models import NO_PROJECT
from partywall.core.jobs.queue import enqueue, enqueue_once
from partywall.core.jobs.store import ClaimedJob, JobResult, JobStore
from partywall.core.resources import Resources
from partywall.core.tenancy import Principal
from partywall.testing.users import Users
from tests.core.jobs.jobs import InProject, Note, kind_of

type Became = Literal["delayed", "again", "dead_letter"] | None


SILENT = timedelta(seconds=20)
MANY = 3_000
FILL = """
    INSERT INTO job (kind, project_id, payload)
    SELECT $1, CASE WHEN n % 10 = 0 THEN ($2::uuid[])[1 + n / 10 % 100] ELSE $3 END, '{}'
    FROM generate_series(1, $4::integer) AS n
"""
READ = "SELECT seq_tup_read + coalesce(idx_tup_fetch, 0) FROM pg_stat_xact_user_tables WHERE relname = 'job'"


async def put(resources: Resources, kind: JobKind[Note], *texts: str, priority: int = 0) -> None:
    async with resources.sessions.begin() as session:
        for each in texts:
            await enqueue(session, kind, Note(text=each), priority=priority)


async def once(resources: Resources, kind: JobKind[Note], after: timedelta = timedelta(), *, priority: int = 0) -> None:
    async with resources.sessions.begin() as session:
        await enqueue_once(session, kind, Note(text="x"), "subject", priority=priority, after=after)


async def take(store: JobStore, kind: JobKind[Note], jobs: int = 100) -> list[ClaimedJob]:
    return await store.take([ChosenLine(kind.name, NO_PROJECT, jobs)])


def texts_of(jobs: list[ClaimedJob]) -> list[str]:
    return [Note.model_validate_json(job.payload).text for job in sorted(jobs, key=lambda job: job.id)]


async def test_jobs_are_taken_by_priority_then_age(resources: Resources, store: JobStore) -> None:
    kind = kind_of(Note)
    await put(resources, kind, "0", "1")
    await put(resources, kind, "urgent", priority=1)
    assert [texts_of(await take(store, kind, 1)) for _ in range(4)] == [["urgent"], ["0"], ["1"], []]


async def test_two_workers_take_each_job_once(resources: Resources, store: JobStore) -> None:
    kind = kind_of(Note)
    await put(resources, kind, *(str(number) for number in range(100)))
    taken = await asyncio.gather(*(take(store, kind, 20) for _ in range(8)))
    counted = Counter(job.id for jobs in taken for job in jobs)
    rest = await take(store, kind)
    assert set(counted.values()) == {1}
    assert len(counted) + len(rest) == 100
    assert {job.attempt for jobs in taken for job in jobs} == {1}


async def test_a_delayed_job_waits_until_it_is_due(resources: Resources, store: JobStore, users: Users) -> None:
    kind = kind_of(Note)
    async with resources.sessions.begin() as session:
        await enqueue(session, kind, Note(text="later"), after=timedelta(hours=1))
    seen = await store.look({kind.name: NO_PROJECT}, SILENT)
    assert (seen.lines, seen.lost_in) == ([], None)
    assert seen.due_in is not None
    assert timedelta(minutes=59) < seen.due_in <= timedelta(hours=1)
    assert await take(store, kind) == []
    await users.execute("UPDATE job SET due_at = now() WHERE kind = $1", kind.name)
    assert (await store.look({kind.name: NO_PROJECT}, SILENT)).lines == [JobLine(kind.name, NO_PROJECT, NO_PROJECT)]
    assert texts_of(await take(store, kind)) == ["later"]


async def test_a_job_is_not_taken_while_it_is_being_enqueued(resources: Resources, store: JobStore) -> None:
    """It could not see the new work yet, and would be gone when the work is committed."""
    kind = kind_of(Note)
    await once(resources, kind)
    async with resources.sessions.begin() as session:
        await enqueue_once(session, kind, Note(text="x"), "subject")
        assert await take(store, kind) == []
    assert len(await take(store, kind)) == 1


async def test_limits_hold_over_all_workers_and_block_nobody_else(resources: Resources, users: Users) -> None:
    """Per project, and per account over all its projects; a tenant at its limit has no job line."""
    kind, owner, other = kind_of(InProject), await users.person(), await users.person()
    first, second, third = await owner.project(), await owner.project(), await other.project()
    limited = JobStore(resources.reads, {kind.name: Limits(each_project=2, each_account=3)})
    payloads = {
        project: InProject(project_id=project, principal=str(Principal.service(project)))
        for project in (first, second, third)
    }
    async with resources.sessions.begin() as session:
        for project in (first, second, third):
            for _ in range(4):
                await enqueue(session, kind, payloads[project])
    chosen = [ChosenLine(kind.name, project, 4) for project in (first, second)]
    batches = await asyncio.gather(*(limited.take(chosen) for _ in range(6)))
    taken = [job for batch in batches for job in batch]
    assert Counter(job.project for job in taken) == {first: 2, second: 1}
    seen = await limited.look({kind.name: NO_PROJECT}, SILENT)
    assert seen.lines == [JobLine(kind.name, third, other.id)]
    done = next(job for job in taken if job.project == first)
    await limited.settle([JobResult(done.id, done.lease)])
    lines = (await limited.look({kind.name: NO_PROJECT}, SILENT)).lines
    assert {line.project for line in lines} == {first, second, third}
    assert len(await limited.take([ChosenLine(kind.name, second, 4)])) == 1
    assert await limited.take([ChosenLine(kind.name, first, 4)]) == []
    await users.execute("DELETE FROM job WHERE kind = $1", kind.name)


async def test_an_attempt_is_fenced_against_a_later_one_of_the_same_worker(
    resources: Resources, store: JobStore, users: Users
) -> None:
    person = await users.person()
    kind, project = kind_of(InProject), await person.project("before")
    payload = InProject(project_id=project, principal=str(person.principal))
    async with resources.sessions.begin() as session:
        await enqueue(session, kind, payload)
    [first] = await store.take([ChosenLine(kind.name, project, 1)])
    await users.execute("UPDATE job SET heartbeat_at = now() - interval '1 hour' WHERE kind = $1", kind.name)
    assert await store.claim_lost([kind.name], SILENT, [first.id]) == [], "a running job is not lost"
    [second] = await store.claim_lost([kind.name], SILENT, [])
    assert (second.id, second.attempt, first.account) == (first.id, 2, person.id)
    with pytest.raises(LeaseLostError):
        async with JobContext(resources, first.lease, first.id, 1, last=False).begin(payload) as (session, _):
            await session.execute(text("UPDATE project SET name = 'after'"))
    await store.settle([JobResult(first.id, first.lease), JobResult(first.id, first.lease, "dead_letter")])
    await users.execute("UPDATE job SET heartbeat_at = now() - interval '1 hour' WHERE kind = $1", kind.name)
    await store.renew([first])
    assert (await store.look({}, SILENT)).lost_in is not None
    [row] = await users.fetch("SELECT state, lease, heartbeat_at < now() FROM job WHERE kind = $1", kind.name)
    assert tuple(row) == ("running", second.lease, True)
    await store.renew([second])
    seen = await store.look({}, SILENT)
    assert seen.lost_in is not None
    assert seen.lost_in > SILENT / 2


async def test_a_tick_becomes_one_job_whichever_worker_sees_it(store: JobStore, users: Users) -> None:
    name, now = f"test_{uuid4().hex}", utc_now()
    ticks = [now + timedelta(minutes=minutes) for minutes in (0, 1, 1, 1, 0, 2)]
    found = []
    for tick in ticks:
        await store.fire({name: tick}, "scheduled_test")
        deleted = await users.execute("DELETE FROM job WHERE kind = 'scheduled_test'")
        found.append(deleted)
    assert found == [f"DELETE {jobs}" for jobs in (0, 1, 0, 0, 0, 1)]
    for minutes in (3, 4):
        await store.fire({name: now + timedelta(minutes=minutes)}, "scheduled_test")
    assert await users.execute("DELETE FROM job WHERE kind = 'scheduled_test'") == "DELETE 1", "it is still waiting"


async def test_no_statement_reads_more_than_it_takes(resources: Resources, store: JobStore, users: Users) -> None:
    """Also with plans that were made when the table was empty."""
    name, busy, others = f"test_{uuid4().hex}", new_id(), [new_id() for _ in range(100)]
    look = "SELECT wall.job_lines($1, $2, 500, $3, $4, $4)"
    take = "SELECT * FROM wall.claim_jobs($1, $2, $3, $4)"
    lost, renew = "SELECT wall.claim_lost_job($1, $2, $3, $4)", "SELECT wall.renew_jobs($1, $2)"
    settle = "SELECT wall.settle_jobs($1, $2, $3, $4, $5)"
    async with resources.reads.acquire() as connection:

        async def read(most: int, sql: str, *values: object) -> list[asyncpg.Record]:
            async with connection.transaction():
                before = await connection.fetchval(READ) or 0
                rows: list[asyncpg.Record] = await connection.fetch(sql, *values)
                found = (await connection.fetchval(READ) or 0) - before
                assert 0 <= found <= most, (sql, found)
            return rows

        async def work() -> list[asyncpg.Record]:
            assert len(await read(3 * 101, look, [name, "other"], [NO_PROJECT] * 2, SILENT, [None] * 2)) in (1, 102)
            jobs = await read(5 * 11, take, [name] * 2, [busy, others[0]], [10, 1], new_id())
            ids, leases = [job["id"] for job in jobs], [job["lease"] for job in jobs]
            await read(5 * 11, renew, ids, leases)
            await read(1, lost, [name], SILENT, ids, new_id())
            states = [None if number % 2 else "waiting" for number in range(len(ids))]
            await read(8 * 11, settle, ids, leases, states, [timedelta()] * len(ids), [None] * len(ids))
            return jobs

        for _ in range(7):
            assert await work() == []
        await users.execute(FILL, name, others, busy, MANY)
        assert len(await work()) == 11


def test_the_nil_project_is_before_all_others() -> None:
    assert UUID(int=0) == NO_PROJECT < new_id()
