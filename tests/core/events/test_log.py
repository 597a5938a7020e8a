"""Numbers follow commits: no event appears before one already read, and no effect before its cause."""

from __future__ import annotations

import asyncio
import json
from contextlib import suppress
from uuid import UUID

import asyncpg
import pytest
from sqlalchemy import text

from partywall.core.db.scoped_access import ScopedReader
from partywall.core.db.scopes import open_exclusive_scope, open_scope
from partywall.core.db.session import AsyncSession, Sessions, before_commit
from partywall.core.events.batches import read_batch
from partywall.core.events.log import event_drafts_json, publish
from partywall.core.resources import Resources
from partywall.core.tenancy import ProjectNotFoundError
from partywall.testing.users import Users
from tests.core.events.written import append, event_drafts, numbers, order


async def test_writers_do_not_wait_and_numbers_follow_commits(users: Users, resources: Resources) -> None:
    owner = await users.person()
    project = await owner.project()
    written, let_commit = asyncio.Event(), asyncio.Event()

    async def hold(_: AsyncSession) -> None:
        written.set()
        await let_commit.wait()

    async def first() -> None:
        async with resources.sessions.begin() as session:
            await append(session, owner, project, "written first")
            before_commit(session, hold)

    async with asyncio.timeout(60), asyncio.TaskGroup() as group:
        group.create_task(first())
        await written.wait()
        async with resources.sessions.begin() as session:
            await append(session, owner, project, "committed first")
        assert await order(users, project) == ["committed first"]
        let_commit.set()
    assert await order(users, project) == ["committed first", "written first"]


async def test_events_are_announced_after_the_commit_and_not_after_a_rollback(
    users: Users, resources: Resources
) -> None:
    owner = await users.person()
    one, other = await owner.project(), await owner.project()
    told: list[tuple[UUID, int]] = []
    sessions = Sessions(resources.engine, announce=lambda scope, events: told.append((scope.project_id, events)))
    async with sessions.begin() as session:
        await append(session, owner, one, "a", "b")
        await append(session, owner, other, "c")
        assert not told
    assert told == [(one, 2), (other, 1)]
    with suppress(ZeroDivisionError):
        async with sessions.begin() as session:
            await append(session, owner, one, "d")
            raise ZeroDivisionError
    assert told == [(one, 2), (other, 1)]


async def test_an_effect_follows_a_cause_whose_transaction_began_later(users: Users, resources: Resources) -> None:
    """Both are numbered at once: ordering by transaction id would swap them."""
    owner = await users.person()
    project = await owner.project()
    await numbers(resources, owner, project)

    async def cause() -> None:
        async with resources.sessions.begin() as session:
            await append(session, owner, project, "cause", "and more of it")

    async with users.transaction() as standing_in_the_way:
        await standing_in_the_way.execute("SELECT FROM event_counter WHERE project_id = $1 FOR UPDATE", project)
        async with resources.sessions.begin() as session:
            await session.execute(text("SELECT pg_current_xact_id()"))
            await asyncio.create_task(cause())
            await append(session, owner, project, "effect")
    assert await order(users, project) == ["cause", "and more of it", "effect"]


async def test_every_snapshot_is_a_prefix_under_concurrent_writers(users: Users, resources: Resources) -> None:
    owner = await users.person()
    project = await owner.project()
    done = asyncio.Event()

    async def writer(name: str) -> None:
        for number in range(25):
            batch = [f"{name}{number}-{part}" for part in range(1 + number % 3)]
            async with resources.sessions.begin() as session:
                await append(session, owner, project, *batch)

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


async def test_a_rollback_leaves_no_hole(users: Users, resources: Resources) -> None:
    owner = await users.person()
    project = await owner.project()

    async def fail(_: AsyncSession) -> None:
        raise LookupError

    async def write_and_fail() -> None:
        async with resources.sessions.begin() as session:
            await append(session, owner, project, "lost", "too")
            before_commit(session, fail)

    for _ in range(3):
        with pytest.raises(LookupError):
            await write_and_fail()
    async with resources.sessions.begin() as session:
        await append(session, owner, project, "kept")
    assert await numbers(resources, owner, project) == [1, 2]


async def test_the_last_event_of_a_leaving_member_is_written(users: Users, resources: Resources) -> None:
    owner, leaver = await users.person(), await users.person()
    project = await owner.project()
    await users.join(project, leaver, "viewer")
    async with resources.sessions.begin() as session:
        scope = await open_exclusive_scope(session, await open_scope(session, leaver.principal, project))
        publish(session, scope, *event_drafts("left"))
        await users.execute("DELETE FROM project_member WHERE account_id = $1", leaver.id)
    await numbers(resources, owner, project)
    batch = await read_batch(ScopedReader(resources.reads, owner.principal), project, after=1)
    assert f'"actor" : "user:{leaver.id}"' in batch.events[0].frame.decode()


async def test_a_project_that_is_deleted_takes_its_events_with_it(users: Users, resources: Resources) -> None:
    owner = await users.person()
    project = await owner.project()
    async with resources.sessions.begin() as session:
        scope = await open_exclusive_scope(session, await open_scope(session, owner.principal, project))
        publish(session, scope, *event_drafts("last words"))
        await session.execute(text("DELETE FROM project WHERE id = :id"), {"id": project})
    with pytest.raises(ProjectNotFoundError):
        await numbers(resources, owner, project)


async def test_history_cannot_be_rewritten_by_the_program(users: Users, resources: Resources) -> None:
    owner = await users.person()
    project = await owner.project()
    async with resources.reads.acquire() as connection:
        for statement in (
            "DELETE FROM event WHERE project_id = $1",
            "UPDATE event SET type = 'x' WHERE project_id = $1",
            "UPDATE event_counter SET oldest = 9 WHERE project_id = $1",
            "UPDATE event_counter SET last = 9 WHERE project_id = $1",
            "INSERT INTO event SELECT $1, 9, 't', 'a', 'k', 's'",
            "INSERT INTO pending_event (project_id, actor, events) VALUES ($1, 'a', '[]')",
            "SELECT FROM pending_event WHERE project_id = $1",
            "DELETE FROM pending_event WHERE project_id = $1",
            "SELECT FROM wall.number_locked_events(ARRAY[$1::uuid], 1)",
        ):
            with pytest.raises(asyncpg.InsufficientPrivilegeError):
                await connection.execute(statement, project)


@pytest.mark.parametrize("missing", ["type", "subject_kind", "subject_id", "data"])
async def test_an_invalid_event_is_not_written(users: Users, resources: Resources, missing: str) -> None:
    """One bad row would hold back all later events of its project."""
    owner = await users.person()
    project = await owner.project()
    event = {"type": "t", "subject_kind": "k", "subject_id": "s", "data": {}}
    del event[missing]
    async with resources.reads.acquire() as connection, connection.transaction():
        await connection.execute("SELECT wall.open_scope($1, $2)", str(owner.principal), project)
        with pytest.raises(asyncpg.CheckViolationError):
            await connection.execute("SELECT wall.append_events($1, 'a', $2::jsonb)", project, json.dumps([event]))


async def test_nothing_is_written_into_another_project(users: Users, resources: Resources) -> None:
    owner, other = await users.person(), await users.person()
    mine, foreign = await owner.project(), await other.project()
    async with resources.reads.acquire() as connection, connection.transaction():
        await connection.execute("SELECT wall.open_scope($1, $2)", str(owner.principal), mine)
        append_ = "SELECT wall.append_events($1, 'a', $2::jsonb)"
        assert await connection.fetchval(append_, foreign, event_drafts_json(event_drafts("x"))) is None
        assert await connection.fetchval(append_, mine, event_drafts_json(event_drafts("x"))) == 1
