"""Numbers follow commits: what a reader has seen never gets a predecessor."""

from __future__ import annotations

import asyncio
from uuid import UUID

import asyncpg
import pytest
from sqlalchemy import text

from partywall.core.db.scoped_read import ScopedReader
from partywall.core.db.session import AsyncSession, before_commit
from partywall.core.events.batches import read_batch
from partywall.core.events.log import EventLog, News
from partywall.core.resources import Resources
from partywall.core.tenancy import ProjectNotFoundError, enter_project
from tests.people import People, Person


def news(*names: str) -> list[News]:
    return [News("document.updated", "document", name) for name in names]


async def append(resources: Resources, session: AsyncSession, person: Person, project: UUID, *names: str) -> None:
    scope = await enter_project(session, person.principal, project)
    EventLog(session, scope, resources.announcer).append(*news(*names))


async def numbers(resources: Resources, person: Person, project: UUID) -> list[int]:
    batch = await read_batch(ScopedReader(resources.reads, person.principal), project, after=0, limit=10_000)
    return [event.id for event in batch.events]


async def test_a_transaction_that_commits_later_has_the_higher_number(people: People, resources: Resources) -> None:
    owner = await people.person()
    project = await owner.project()
    numbered, let_commit = asyncio.Event(), asyncio.Event()

    async def hold(_: AsyncSession) -> None:
        numbered.set()
        await let_commit.wait()

    async def first() -> None:
        async with resources.sessions.begin() as session:
            await append(resources, session, owner, project, "first")
            before_commit(session, hold)

    async def second() -> None:
        await numbered.wait()
        async with resources.sessions.begin() as session:
            await append(resources, session, owner, project, "second")

    async with asyncio.TaskGroup() as group:
        group.create_task(first())
        later = group.create_task(second())
        await numbered.wait()
        await asyncio.sleep(0.3)
        assert not later.done(), "the second got a number while the first had not committed"
        assert await numbers(resources, owner, project) == [1]
        let_commit.set()
    assert await numbers(resources, owner, project) == [1, 2, 3]


async def test_every_snapshot_is_a_prefix_under_concurrent_writers(people: People, resources: Resources) -> None:
    owner = await people.person()
    project = await owner.project()
    done = asyncio.Event()

    async def writer(name: str) -> None:
        for number in range(25):
            batch = [f"{name}{number}-{part}" for part in range(1 + number % 3)]
            async with resources.sessions.begin() as session:
                await append(resources, session, owner, project, *batch)

    async def reader() -> None:
        seen = 0
        while not done.is_set():
            found = await numbers(resources, owner, project)
            assert found == list(range(1, len(found) + 1))
            assert len(found) >= seen
            seen = len(found)

    async with asyncio.TaskGroup() as group:
        group.create_task(reader())
        async with asyncio.TaskGroup() as writers:
            for name in "abcd":
                writers.create_task(writer(name))
        done.set()
    assert len(await numbers(resources, owner, project)) == 1 + 4 * sum(1 + number % 3 for number in range(25))


async def test_a_rollback_leaves_no_hole(people: People, resources: Resources) -> None:
    owner = await people.person()
    project = await owner.project()

    async def fail(_: AsyncSession) -> None:
        raise LookupError

    async def write_and_fail() -> None:
        async with resources.sessions.begin() as session:
            await append(resources, session, owner, project, "lost", "too")
            before_commit(session, fail)

    for _ in range(3):
        with pytest.raises(LookupError):
            await write_and_fail()
    async with resources.sessions.begin() as session:
        await append(resources, session, owner, project, "kept")
    assert await numbers(resources, owner, project) == [1, 2]


async def test_two_projects_in_one_transaction(people: People, resources: Resources) -> None:
    owner = await people.person()
    one, other = await owner.project(), await owner.project()
    async with resources.sessions.begin() as session:
        await append(resources, session, owner, one, "a")
        await append(resources, session, owner, other, "b", "c")
        await append(resources, session, owner, one, "d")
    assert await numbers(resources, owner, one) == [1, 2, 3]
    assert await numbers(resources, owner, other) == [1, 2, 3]


async def test_two_projects_in_either_order_do_not_wait_for_each_other(people: People, resources: Resources) -> None:
    owner = await people.person()
    projects = [await owner.project(), await owner.project()]

    async def write(order: list[UUID]) -> None:
        for _ in range(30):
            async with resources.sessions.begin() as session:
                for project in order:
                    await append(resources, session, owner, project, "x")

    async with asyncio.TaskGroup() as group:
        group.create_task(write(projects))
        group.create_task(write(projects[::-1]))
    for project in projects:
        assert await numbers(resources, owner, project) == list(range(1, 62))


async def test_what_a_leaver_did_last_is_written(people: People, resources: Resources) -> None:
    owner, leaver = await people.person(), await people.person()
    project = await owner.project()
    await people.join(project, leaver, "viewer")
    async with resources.sessions.begin() as session:
        await append(resources, session, leaver, project, "left")
        await people.execute("DELETE FROM project_member WHERE account_id = $1", leaver.id)
    batch = await read_batch(ScopedReader(resources.reads, owner.principal), project, after=1)
    assert f'"actor" : "user:{leaver.id}"' in batch.events[0].frame.decode()


async def test_a_project_that_is_deleted_takes_its_news_with_it(people: People, resources: Resources) -> None:
    owner = await people.person()
    project = await owner.project()
    async with resources.sessions.begin() as session:
        await append(resources, session, owner, project, "last words")
        await session.execute(text("DELETE FROM project WHERE id = :id"), {"id": project})
    with pytest.raises(ProjectNotFoundError):
        await numbers(resources, owner, project)


async def test_history_cannot_be_rewritten_by_the_program(people: People, resources: Resources) -> None:
    owner = await people.person()
    project = await owner.project()
    async with resources.reads.acquire() as connection:
        for statement in (
            "DELETE FROM event WHERE project_id = $1",
            "UPDATE event SET type = 'x' WHERE project_id = $1",
            "UPDATE event_counter SET oldest = 9 WHERE project_id = $1",
        ):
            with pytest.raises(asyncpg.InsufficientPrivilegeError):
                await connection.execute(statement, project)
