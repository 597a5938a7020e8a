from __future__ import annotations

import asyncio
from dataclasses import replace
from datetime import timedelta
from uuid import UUID, uuid4

import pytest
import structlog
from sqlalchemy import text

from partywall.core.http.request_facts import begin_request
from partywall.core.jobs import dead_letter
from partywall.core.jobs.context import AnotherAttemptError, JobContext
from partywall.core.jobs.kinds import JobKind, handles
from partywall.core.jobs.lease import LeaseLostError
from partywall.core.jobs.queue import enqueue, enqueue_once
from partywall.core.resources import Resources
from partywall.core.tenancy import Principal, ProjectNotFoundError
from partywall.core.tenant import Tenant, current_tenant
from partywall.testing.conditions import until
from partywall.testing.engines import DatabaseUrls
from partywall.testing.users import Users
from tests.core.jobs.jobs import (
    InProject,
    Note,
    dead_letters_of,
    is_dead_letter,
    is_delayed,
    is_done,
    kind_of,
    queued,
    working,
)

pytestmark = pytest.mark.usefixtures("quick")


async def test_a_job_vanishes_with_its_transaction_even_as_its_first_statement(resources: Resources) -> None:
    kind = kind_of(Note)
    with pytest.raises(RuntimeError):
        await _enqueue_and_fail(resources, kind)
    assert await queued(resources, kind) == 0


async def _enqueue_and_fail(resources: Resources, kind: JobKind[Note]) -> None:
    async with resources.sessions.begin() as session:
        await enqueue(session, kind, Note(text="never"))
        raise RuntimeError


async def test_a_committed_job_runs_once_with_its_typed_payload(resources: Resources, database: DatabaseUrls) -> None:
    kind = kind_of(Note)
    seen: list[tuple[str, int]] = []

    async def handle(context: JobContext, payload: Note) -> None:
        seen.append((payload.text, context.attempt))

    async with working(resources, database, handles(kind, handle)):
        async with resources.sessions.begin() as session:
            await enqueue(session, kind, Note(text="hello"))
        await until(lambda: is_done(resources, kind))
    assert seen == [("hello", 1)]


async def test_a_failing_job_is_tried_again_and_then_a_dead_letter(
    resources: Resources, database: DatabaseUrls
) -> None:
    kind = kind_of(Note, max_attempts=3)
    tried: list[int] = []

    async def handle(context: JobContext, payload: Note) -> None:
        tried.append(context.attempt)
        raise ValueError(f"no {payload.text}")

    async with working(resources, database, handles(kind, handle)):
        async with resources.sessions.begin() as session:
            await enqueue(session, kind, Note(text="luck"))
        await until(lambda: is_dead_letter(resources, kind.name))
    assert tried == [1, 2, 3]
    (job,) = await dead_letters_of(resources, kind.name)
    assert (job.attempts, job.error, job.payload) == (3, "ValueError: no luck", {"text": "luck"})
    async with resources.sessions.begin() as session:
        assert await dead_letter.retry_dead_letter(session, job.job_id)
        assert not await dead_letter.retry_dead_letter(session, job.job_id)
    assert (await dead_letters_of(resources, kind.name), await queued(resources, kind)) == ([], 1)


async def test_a_requeued_dead_letter_is_dropped_when_a_newer_job_exists(resources: Resources, users: Users) -> None:
    """There is one job per subject, and it does the work of both."""
    kind = kind_of(Note)

    async def ask() -> None:
        async with resources.sessions.begin() as session:
            await enqueue_once(session, kind, Note(text="x"), "subject")

    await ask()
    sql = "UPDATE job SET state = 'dead_letter', dead_letter_at = now() WHERE kind = $1 RETURNING id"
    [dead_letters] = [row["id"] for row in await users.fetch(sql, kind.name)]
    await ask()
    async with resources.sessions.begin() as session:
        assert await dead_letter.retry_dead_letter(session, dead_letters)
    [left] = await users.fetch("SELECT state, id FROM job WHERE kind = $1", kind.name)
    assert left["state"] == "waiting"
    assert left["id"] != dead_letters


async def test_values_that_the_database_refuses_stop_no_worker(resources: Resources, database: DatabaseUrls) -> None:
    """Neither an error text nor a pause that cannot be stored; jobs that end at the same time are recorded."""
    failing, pausing, other = kind_of(Note, max_attempts=1), kind_of(Note), kind_of(Note)

    async def fail(_: JobContext, __: Note) -> None:
        raise ValueError("half of a pair \ud800 and \0")

    async def pause(_: JobContext, __: Note) -> None:
        raise AnotherAttemptError("for ever", timedelta.max)

    async def end(_: JobContext, __: Note) -> None: ...

    async with resources.sessions.begin() as session:
        for kind in (failing, pausing, other):
            await enqueue(session, kind, Note(text="x"))
    async with working(resources, database, handles(failing, fail), handles(pausing, pause), handles(other, end)):
        await until(lambda: is_dead_letter(resources, failing.name))
        await until(lambda: is_done(resources, other))
        await until(lambda: is_delayed(resources, pausing))
    [job] = await dead_letters_of(resources, failing.name)
    assert job.error == "ValueError: half of a pair ? and "
    query = text("SELECT state, due_at - now() FROM job WHERE kind = :kind")
    async with resources.sessions.read() as reading:
        [(state, left)] = await reading.execute(query, {"kind": pausing.name})
    assert (state, timedelta(days=364) < left < timedelta(days=366)) == ("delayed", True)


async def test_why_an_attempt_was_not_recorded_is_logged(resources: Resources, database: DatabaseUrls) -> None:
    kind = kind_of(Note, max_attempts=1)
    given_up: list[int] = []

    async def handle(context: JobContext, payload: Note) -> None:
        raise ValueError(payload.text)

    async def give_up(context: JobContext, payload: Note) -> None:
        given_up.append(context.attempt)
        if len(given_up) == 1:
            raise ConnectionError(f"away with {payload.text}")

    with structlog.testing.capture_logs() as logs:
        async with working(resources, database, handles(kind, handle, give_up=give_up)):
            async with resources.sessions.begin() as session:
                await enqueue(session, kind, Note(text="the secret"))
            await until(lambda: is_dead_letter(resources, kind.name))
    logged = [log["exc_info"] for log in logs if log["event"] == "attempt_not_recorded"]
    assert [(type(error), str(error)) for error in logged] == [(ConnectionError, "away with the secret")]


async def test_a_job_counts_for_the_account_that_owns_its_project(
    resources: Resources, database: DatabaseUrls, users: Users
) -> None:
    """Whoever enqueued it: an account may have many projects, and many keys in each."""
    kind, person = kind_of(InProject), await users.person()
    seen: list[Tenant] = []

    async def handle(context: JobContext, payload: InProject) -> None:
        seen.append(current_tenant())

    projects = [await person.project() for _ in range(2)]
    async with resources.sessions.begin() as session:
        for project in projects:
            await enqueue(session, kind, InProject(project_id=project, principal=str(Principal.key(uuid4()))))
    async with working(resources, database, handles(kind, handle)):
        await until(lambda: is_done(resources, kind))
    assert seen == [replace(person.principal.tenant, background=True)] * 2


async def test_crashes_count_as_attempts(resources: Resources, database: DatabaseUrls) -> None:
    """A job whose worker died each time leaves only its attempt count."""
    kind = kind_of(Note, max_attempts=2)
    ran: list[int] = []

    async def handle(context: JobContext, payload: Note) -> None:
        ran.append(context.attempt)

    async with resources.sessions.begin() as session:
        await enqueue(session, kind, Note(text="poison"))
        await session.execute(text("UPDATE job SET attempts = 2 WHERE kind = :k"), {"k": kind.name})
    async with working(resources, database, handles(kind, handle)):
        await until(lambda: is_dead_letter(resources, kind.name))
    assert ran == []


async def test_an_unreadable_payload_becomes_a_dead_letter(resources: Resources, database: DatabaseUrls) -> None:
    kind = kind_of(Note)
    other = JobKind(kind.name, InProject)

    async def handle(context: JobContext, payload: Note) -> None:
        raise AssertionError("unreadable")

    async with working(resources, database, handles(kind, handle)):
        async with resources.sessions.begin() as session:
            await enqueue(session, other, InProject(project_id=uuid4(), principal="user:x"))
        await until(lambda: is_dead_letter(resources, kind.name))
    (job,) = await dead_letters_of(resources, kind.name)
    assert (job.payload["principal"], job.error) == ("user:x", "the payload does not fit its kind (errors: 4)")


async def test_the_right_is_looked_up_when_the_job_runs(
    resources: Resources, database: DatabaseUrls, users: Users
) -> None:
    owner, member = await users.person(), await users.person()
    project = await owner.project()
    await users.join(project, member, "editor")
    kind = kind_of(InProject)
    entered: list[UUID] = []

    async def handle(context: JobContext, payload: InProject) -> None:
        async with context.begin(payload) as (_, scope):
            entered.append(scope.principal.id)

    async with resources.sessions.begin() as session:
        for person in (owner, member):
            await enqueue(session, kind, InProject(project_id=project, principal=str(person.principal)))
    await users.execute("DELETE FROM project_member WHERE account_id = $1", member.id)
    async with working(resources, database, handles(kind, handle)):
        await until(lambda: is_done(resources, kind))
    assert entered == [owner.id]
    assert await dead_letters_of(resources, kind.name) == []


async def test_a_service_principal_enters_its_own_project_alone(resources: Resources, users: Users) -> None:
    owner = await users.person()
    mine, other = await owner.project(), await owner.project()
    own = InProject(project_id=mine, principal=str(Principal.service(mine)))
    context = JobContext(resources, uuid4(), 0, 1, last=False)
    async with context.read(own) as (_, scope):
        assert scope.project_id == mine
    with pytest.raises(ProjectNotFoundError):
        async with context.read(own.model_copy(update={"project_id": other})):
            pass


async def test_its_log_lines_name_the_project_and_the_request(
    resources: Resources, database: DatabaseUrls, users: Users
) -> None:
    """Of the job that a request has enqueued, and of the job that this one enqueues."""
    owner = await users.person()
    payload = InProject(project_id=await owner.project(), principal=str(owner.principal))
    first, second = kind_of(InProject), kind_of(InProject)

    async def ask() -> None:
        begin_request({"type": "http", "state": {"request_id": "asked-for"}})
        async with resources.sessions.begin() as session:
            await enqueue(session, first, InProject(**payload.model_dump(exclude={"request_id"})))

    async def pass_on(context: JobContext, given: InProject) -> None:
        async with context.begin(given) as (session, _):
            await enqueue(session, second, InProject(**payload.model_dump(exclude={"request_id"})))

    async def fail(_: JobContext, __: InProject) -> None:
        raise ValueError("never")

    with structlog.testing.capture_logs(processors=[structlog.contextvars.merge_contextvars]) as logs:
        async with working(resources, database, handles(first, pass_on), handles(second, fail)):
            await asyncio.create_task(ask())
            await until(lambda: is_dead_letter(resources, second.name))
    lines = [line for line in logs if line["event"] in ("job_failed", "job_dead_letter")]
    assert len(lines) == 4
    assert {(line["request_id"], line["project_id"]) for line in lines} == {("asked-for", str(payload.project_id))}


async def test_work_of_a_lost_lease_is_rolled_back(resources: Resources, users: Users) -> None:
    owner = await users.person()
    project = await owner.project("before")
    kind = kind_of(InProject)
    payload = InProject(project_id=project, principal=str(owner.principal))
    async with resources.sessions.begin() as session:
        await enqueue(session, kind, payload)
        job_id = await session.scalar(text("SELECT id FROM job WHERE kind = :k"), {"k": kind.name})
    loser = JobContext(resources, uuid4(), int(job_id or 0), 1, last=False)
    with pytest.raises(LeaseLostError):
        async with loser.begin(payload) as (session, scope):
            await session.execute(text("UPDATE project SET name = 'after' WHERE id = :id"), {"id": scope.project_id})
    assert (await owner.client.get(f"/api/v1/projects/{project}")).json()["name"] == "before"
