"""The database's own layer: what the runtime role can and cannot do, whatever the program forgets."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from uuid import UUID

import asyncpg
import pytest
from sqlalchemy import text
from sqlalchemy.exc import DBAPIError

from partywall.core.db.engine import create_engine, server_settings
from partywall.core.db.roles import PrivilegedRoleError, refuse_privileged_role
from partywall.core.resources import Resources
from partywall.core.tenancy import (
    Principal,
    ProjectNotFoundError,
    ProjectScope,
    Role,
    enter_project,
)
from tests.engines import DatabaseUrls
from tests.people import People, Person

type Connection = asyncpg.Connection[asyncpg.Record]


@pytest.fixture
async def runtime(database: DatabaseUrls) -> AsyncIterator[Connection]:
    connection = await asyncpg.connect(DatabaseUrls.dsn(database.runtime))
    yield connection
    await connection.close()


@pytest.fixture
async def two(people: People) -> tuple[tuple[Person, UUID], tuple[Person, UUID]]:
    one, other = await people.person(), await people.person()
    return (one, await one.project("one")), (other, await other.project("other"))


PROJECT_TABLES = """
    SELECT c.relname FROM pg_class c JOIN pg_attribute a ON a.attrelid = c.oid AND a.attname = 'project_id'
    WHERE c.relkind = 'r' AND c.relnamespace = 'public'::regnamespace AND NOT a.attisdropped
"""


async def test_nothing_bound_means_no_row_anywhere(runtime: Connection, two: object) -> None:
    for table in [row["relname"] for row in await runtime.fetch(PROJECT_TABLES)] + ["project", "account"]:
        assert await runtime.fetchval(f'SELECT count(*) FROM "{table}"') == 0, table  # noqa: S608 - catalogue names


async def test_a_forged_scope_yields_no_row_and_takes_none(
    runtime: Connection, two: tuple[tuple[Person, UUID], tuple[Person, UUID]]
) -> None:
    (one, _), (_, foreign) = two
    async with runtime.transaction():
        assert await runtime.fetchval("SELECT wall.enter($1, $2)", f"user:{one.id}", foreign) is None
        assert await runtime.fetchval("SELECT count(*) FROM event") == 0
        assert await runtime.execute("UPDATE event_counter SET last = last + 1") == "UPDATE 0"
        with pytest.raises(asyncpg.InsufficientPrivilegeError):
            await runtime.execute(
                "INSERT INTO event (project_id, id, type, actor, subject_kind, subject_id)"
                " VALUES ($1, 99, 'x', 'x', 'x', 'x')",
                foreign,
            )


async def test_inside_one_project_the_other_is_not_there(
    runtime: Connection, two: tuple[tuple[Person, UUID], tuple[Person, UUID]]
) -> None:
    (one, mine), (_, foreign) = two
    async with runtime.transaction():
        assert await runtime.fetchval("SELECT wall.enter($1, $2)", f"user:{one.id}", mine) == "owner"
        assert await runtime.fetchval("SELECT count(*) FROM event WHERE project_id = $1", mine) == 1
        assert await runtime.fetchval("SELECT count(*) FROM event WHERE project_id = $1", foreign) == 0
        assert {row["id"] for row in await runtime.fetch("SELECT id FROM project")} == {mine}


@pytest.mark.parametrize(
    "statement",
    [
        "SET ROLE partywall_owner",
        "SET SESSION AUTHORIZATION partywall_owner",
        "ALTER TABLE event DISABLE ROW LEVEL SECURITY",
        "DROP POLICY wall ON event",
        "ALTER ROLE partywall_app BYPASSRLS",
        "CREATE TABLE escape (id int)",
        "CREATE FUNCTION escape() RETURNS int LANGUAGE sql AS 'select 1'",
        "INSERT INTO project (name) VALUES ('founded past the function')",
        "INSERT INTO project_member (project_id, account_id, role) VALUES (uuidv7(), uuidv7(), 'owner')",
        "UPDATE account SET id = uuidv7()",
        "DELETE FROM account",
        "TRUNCATE event",
    ],
)
async def test_the_runtime_role_cannot_climb(runtime: Connection, statement: str) -> None:
    with pytest.raises((asyncpg.InsufficientPrivilegeError, asyncpg.UndefinedTableError)):
        await runtime.execute(statement)


async def test_row_security_off_is_an_error_not_a_way_round(runtime: Connection) -> None:
    await runtime.execute("SET row_security = off")
    with pytest.raises(asyncpg.InsufficientPrivilegeError):
        await runtime.fetch("SELECT * FROM event")


async def test_a_pooled_connection_carries_no_scope_on(
    resources: Resources, two: tuple[tuple[Person, UUID], tuple[Person, UUID]]
) -> None:
    (one, mine), _ = two

    async def leave(how: str) -> None:
        async with resources.sessions.begin() as session:
            await enter_project(session, one.principal, mine)
            if how == "error":
                await session.execute(text("SELECT 1/0"))
            if how == "timeout":
                await session.execute(text("SET LOCAL statement_timeout = '10ms'"))
                await session.execute(text("SELECT pg_sleep(5)"))
            if how == "cancel":
                await session.execute(text("SELECT pg_sleep(5)"))

    for how in ("return", "error", "timeout", "cancel"):
        task = asyncio.create_task(leave(how))
        if how == "cancel":
            await asyncio.sleep(0.1)
            task.cancel()
        with pytest.raises((DBAPIError, asyncio.CancelledError)) if how != "return" else _nothing():
            await task
        for _ in range(8):
            async with resources.sessions.begin() as session:
                assert await session.scalar(text("SELECT count(*) FROM event")) == 0, how
                assert await session.scalar(text("SELECT wall.current_project()")) is None


class _nothing:  # noqa: N801 - stands where a context manager does
    def __enter__(self) -> None:
        return None

    def __exit__(self, *_: object) -> None:
        return None


async def test_a_disabled_account_enters_nothing(
    resources: Resources, people: People, two: tuple[tuple[Person, UUID], tuple[Person, UUID]]
) -> None:
    (one, mine), _ = two
    await people.execute("UPDATE account SET disabled_at = now() WHERE id = $1", one.id)
    async with resources.sessions.read() as session:
        with pytest.raises(ProjectNotFoundError):
            await enter_project(session, one.principal, mine)
    assert (await one.client.get(f"/api/v1/projects/{mine}")).status_code == 404
    assert (await one.client.get("/api/v1/projects")).json()["items"] == []


def test_a_scope_is_not_made_by_hand(two: object) -> None:
    with pytest.raises(TypeError):
        ProjectScope(UUID(int=1), Principal.user(UUID(int=2)), Role.OWNER, object())


async def test_a_read_transaction_writes_nothing(
    resources: Resources, two: tuple[tuple[Person, UUID], tuple[Person, UUID]]
) -> None:
    (one, mine), _ = two
    async with resources.sessions.read() as session:
        await enter_project(session, one.principal, mine)
        with pytest.raises(DBAPIError, match="read-only"):
            await session.execute(text("UPDATE project SET name = 'x'"))


@pytest.mark.parametrize("role", ["owner", "superuser"])
async def test_the_program_refuses_a_role_that_could_climb(database: DatabaseUrls, role: str) -> None:
    engine = create_engine(getattr(database, role), pool_size=1, overflow=0, settings=server_settings("test", 1000))
    try:
        with pytest.raises(PrivilegedRoleError, match="DATABASE__URL"):
            await refuse_privileged_role(engine)
    finally:
        await engine.dispose()
