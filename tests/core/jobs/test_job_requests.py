"""One job for a subject, however often it is requested."""

from __future__ import annotations

from datetime import timedelta

import pytest

from partywall.core.jobs.kinds import JobKind
from partywall.core.jobs.models import NO_PROJECT
from partywall.core.jobs.queue import dequeue
from partywall.core.jobs.store import JobResult, JobStore
from partywall.core.resources import Resources
from partywall.testing.users import Users
from tests.core.jobs.jobs import Note, kind_of, queued
from tests.core.jobs.test_store import SILENT, Became, once, put, take, texts_of


async def ask(users: Users, kind: JobKind[Note], *dues: timedelta) -> None:
    """Enqueues as a function that must not wait for a lock."""
    for due in dues:
        await users.execute(
            "INSERT INTO job_request (kind, payload, dedupe_key, due_at) VALUES ($1, $2, $3, now() + $4)",
            kind.name, Note(text="x").model_dump_json(), f"{kind.name}:subject", due,
        )  # fmt: skip


async def test_there_is_one_job_for_a_subject_until_it_has_ended(resources: Resources, store: JobStore) -> None:
    kind = kind_of(Note)

    async def ask() -> int:
        await once(resources, kind)
        return await queued(resources, kind)

    assert [await ask(), await ask()] == [1, 1]
    [job] = await take(store, kind)
    await store.settle([JobResult(job.id, job.lease, "dead_letter", error="failed")])
    assert [await ask(), await ask()] == [2, 2]
    [job] = await take(store, kind)
    await store.settle([JobResult(job.id, job.lease)])
    assert [await queued(resources, kind), await ask()] == [1, 2]


@pytest.mark.parametrize(
    ("became", "states"),
    [
        (None, ["waiting"]),
        ("again", ["waiting"]),
        ("delayed", ["delayed"]),
        ("dead_letter", ["dead_letter", "waiting"]),
    ],
)
async def test_work_enqueued_while_its_job_runs_is_done_afterwards(
    resources: Resources, store: JobStore, users: Users, became: Became, states: list[str]
) -> None:
    """The job may have looked already. The pause after a failure stays: the next attempt does it."""
    kind = kind_of(Note)
    for _ in range(2):
        await once(resources, kind)
    [job] = await take(store, kind)
    for after in (timedelta(hours=2), timedelta(), timedelta(hours=1)):
        await once(resources, kind, after)
    await store.settle([JobResult(job.id, job.lease, became, timedelta(hours=3) if became else timedelta())])
    rows = await users.fetch("SELECT state, attempts, again_at FROM job WHERE kind = $1 ORDER BY state", kind.name)
    assert [row["state"] for row in rows] == states
    assert [row["attempts"] for row in rows if row["state"] == "waiting"] == [0] * states.count("waiting")
    assert {row["again_at"] for row in rows} == {None}


async def test_a_job_is_due_at_the_earliest_requested_time(resources: Resources, store: JobStore, users: Users) -> None:
    kind = kind_of(Note)
    for hours, expected in ((3, 3), (1, 1), (2, 1)):
        await once(resources, kind, timedelta(hours=hours))
        due_in = (await store.look({kind.name: NO_PROJECT}, SILENT)).due_in
        assert due_in is not None
        assert timedelta(hours=expected - 1) < due_in <= timedelta(hours=expected)
    await once(resources, kind)
    [job] = await take(store, kind)
    await store.settle([JobResult(job.id, job.lease, "delayed", timedelta(hours=1))])
    await once(resources, kind)
    assert await take(store, kind) == [], "it pauses after a failed attempt"


async def test_a_job_enqueued_again_goes_to_the_end_of_its_line(resources: Resources, store: JobStore) -> None:
    kind = kind_of(Note)
    await put(resources, kind, "first", "second")
    [first] = await take(store, kind, 1)
    await store.settle([JobResult(first.id, first.lease, "again")])
    taken = await take(store, kind)
    assert [texts_of([job]) for job in taken] == [["second"], ["first"]]
    assert {job.attempt for job in taken} == {1}


async def test_a_cancelled_job_is_removed_unless_it_runs(resources: Resources, store: JobStore) -> None:
    kind = kind_of(Note)
    for left in (0, 1):
        await once(resources, kind)
        if left:
            await take(store, kind)
        async with resources.sessions.begin() as session:
            await dequeue(session, kind, "another")
            await dequeue(session, kind, "subject")
        assert await queued(resources, kind) == left


async def test_work_enqueued_while_its_job_runs_keeps_its_priority(resources: Resources, store: JobStore) -> None:
    kind = kind_of(Note)
    await once(resources, kind)
    [job] = await take(store, kind)
    await put(resources, kind, "0")
    await once(resources, kind, priority=1)
    await store.settle([JobResult(job.id, job.lease)])
    assert [texts_of(await take(store, kind, 1)) for _ in range(2)] == [["x"], ["0"]]


async def test_job_requests_become_one_job_at_the_earliest_time(store: JobStore, users: Users) -> None:
    kind = kind_of(Note)
    await ask(users, kind, timedelta(hours=2), timedelta(hours=1), timedelta(hours=3))
    assert await store.look({kind.name: NO_PROJECT}, SILENT)
    [row] = await users.fetch("SELECT state, due_at < now() + interval '90 min' FROM job WHERE kind = $1", kind.name)
    assert tuple(row) == ("delayed", True)
    await ask(users, kind, timedelta())
    seen = await store.look({kind.name: NO_PROJECT}, SILENT)
    assert [(line.kind, line.project) for line in seen.lines] == [(kind.name, NO_PROJECT)]
    assert len(await take(store, kind)) == 1


async def test_a_request_for_a_locked_job_is_handled_by_a_later_poll(store: JobStore, users: Users) -> None:
    kind, other = kind_of(Note), kind_of(Note)
    await ask(users, kind, timedelta())
    await store.look({kind.name: NO_PROJECT}, SILENT)
    [job] = await take(store, kind)
    async with users.transaction() as holder:
        await holder.execute("SELECT FROM job WHERE id = $1 FOR UPDATE", job.id)
        await ask(users, kind, timedelta(hours=1), timedelta())
        await ask(users, other, timedelta())
        seen = await store.look({kind.name: NO_PROJECT, other.name: NO_PROJECT}, SILENT)
        assert [line.kind for line in seen.lines] == [other.name], "an idle worker does not wait for it"
        assert seen.due_in is not None
        assert seen.due_in <= timedelta(seconds=0.05)
        [left] = await users.fetch("SELECT due_at <= now() AS is_due FROM job_request WHERE kind = $1", kind.name)
        assert left["is_due"], "the sooner one"
    await store.look({kind.name: NO_PROJECT}, SILENT)
    await store.settle([JobResult(job.id, job.lease)])
    assert len(await take(store, kind)) == 1
