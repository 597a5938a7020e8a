"""Numbering: it waits for no writer, and no project waits for another."""

from __future__ import annotations

import asyncio
from typing import Final
from uuid import UUID

from sqlalchemy import text

from partywall.core.db.scopes import open_scope
from partywall.core.events.log import event_drafts_json
from partywall.core.resources import Resources
from partywall.testing.users import Users
from tests.core.events.written import append, event_drafts, numbers, order, pending

NIL: Final = UUID(int=0)


async def test_pruning_does_not_block_writers(users: Users, resources: Resources) -> None:
    """Events are numbered as soon as the counter is free, and readers are notified."""
    owner = await users.person()
    project = await owner.project()
    async with asyncio.timeout(60):
        async with users.transaction() as pruning:
            await pruning.execute("SELECT FROM event_counter WHERE project_id = $1 FOR UPDATE", project)
            made = await owner.client.post(f"/api/v1/projects/{project}/documents", json={"title": "a", "content": ""})
            assert made.status_code == 201
            assert await resources.reads.fetchval("SELECT count(*) FROM wall.projects_with_pending_events($1, 9)", NIL)
        while await pending(users, project):
            await asyncio.sleep(0.02)
    assert await order(users, project) == [made.json()["id"]]


async def test_a_stalled_numbering_holds_the_counter_for_at_most_a_second(users: Users, resources: Resources) -> None:
    """Behind a transaction pooler, where the statement does not end by itself, PostgreSQL ends the transaction."""
    project = await (await users.person()).project()
    limit = "SELECT current_setting('idle_in_transaction_session_timeout')"
    async with resources.reads.acquire() as connection:
        before = await connection.fetchval(limit)
        async with connection.transaction():
            await connection.execute("SELECT FROM wall.number_events(ARRAY[$1::uuid], 1)", project)
            assert await connection.fetchval(limit) == "1s"
        assert await connection.fetchval(limit) == before == "15s"


async def test_numbering_returns_a_row_for_every_requested_project(users: Users) -> None:
    """So it can notify the readers of every project that it was asked to number."""
    project = await (await users.person()).project()
    async with users.transaction() as session:
        await session.execute("SELECT wall.catch_up_events($1, 9)", project)
        await session.execute("SELECT FROM event_counter WHERE project_id = $1 FOR NO KEY UPDATE", project)
        last = await session.fetchval("SELECT last FROM event_counter WHERE project_id = $1", project)
        await session.execute(
            "INSERT INTO pending_event (project_id, actor, events) VALUES ($1, 'a', $2)", project,
            '[{"type": "a.b", "subject_kind": "c", "subject_id": "d", "data": {}}]',
        )  # fmt: skip
        numbers = "SELECT project_id, busy, last, events, jobs FROM wall.number_events(ARRAY[$1::uuid], 9)"
        assert [tuple(row) for row in await session.fetch(numbers, project)] == [(project, False, last + 1, 1, False)]
        assert [tuple(row) for row in await session.fetch(numbers, project)] == [(project, False, None, 0, False)]


async def test_an_invalid_event_blocks_no_other_project(users: Users) -> None:
    """The program never writes such a row; somebody changed the table by hand."""
    owner = await users.person()
    broken, other = await owner.project(), await owner.project()
    await users.execute("INSERT INTO pending_event (project_id, actor, events) VALUES ($1, 'a', '{}')", broken)
    try:
        async with asyncio.timeout(60):
            made = await owner.client.post(f"/api/v1/projects/{other}/documents", json={"title": "a", "content": ""})
            assert made.status_code == 201
            while await pending(users, other):
                await asyncio.sleep(0.02)
        assert await pending(users, broken)
    finally:
        await users.execute("DELETE FROM pending_event WHERE project_id = $1 AND events = '{}'", broken)


async def test_events_of_a_dead_process_are_numbered_by_another(users: Users, resources: Resources) -> None:
    owner = await users.person()
    project = await owner.project()
    async with resources.sessions.begin() as session:
        await open_scope(session, owner.principal, project)
        await session.scalar(
            text("SELECT wall.append_events(:project, 'x', CAST(:drafts AS jsonb))"),
            {"project": project, "drafts": event_drafts_json(event_drafts("left behind"))},
        )
    async with asyncio.timeout(60):
        while await pending(users, project):
            await asyncio.sleep(0.02)
    assert await order(users, project) == ["left behind"]


async def test_two_projects_in_one_transaction(users: Users, resources: Resources) -> None:
    owner = await users.person()
    one, other = await owner.project(), await owner.project()
    async with resources.sessions.begin() as session:
        await append(session, owner, one, "a")
        await append(session, owner, other, "b", "c")
        await append(session, owner, one, "d")
    assert await numbers(resources, owner, one) == [1, 2, 3]
    assert await numbers(resources, owner, other) == [1, 2, 3]


async def test_two_projects_in_either_order_do_not_wait_for_each_other(users: Users, resources: Resources) -> None:
    owner = await users.person()
    projects = [await owner.project(), await owner.project()]

    async def write(order: list[UUID]) -> None:
        for _ in range(10):
            async with resources.sessions.begin() as session:
                for project in order:
                    await append(session, owner, project, "x")

    async with asyncio.TaskGroup() as group:
        group.create_task(write(projects))
        group.create_task(write(projects[::-1]))
    for project in projects:
        assert await numbers(resources, owner, project) == list(range(1, 22))
