"""What the runtime role can and cannot do in the database, whatever the program forgets."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from uuid import UUID, uuid4

import asyncpg
import pytest
from sqlalchemy import text
from sqlalchemy.exc import DBAPIError

from partywall.core.db.engine import create_engine, server_settings
from partywall.core.db.roles import PrivilegedRoleError, refuse_privileged_role
from partywall.core.db.scopes import open_scope
from partywall.core.resources import Resources
from partywall.core.tenancy import Principal, ProjectNotFoundError, ProjectScope, Role
from partywall.testing.engines import DatabaseUrls
from partywall.testing.users import Person, Users

type Connection = asyncpg.Connection[asyncpg.Record]


@pytest.fixture
async def runtime(database: DatabaseUrls) -> AsyncIterator[Connection]:
    connection = await asyncpg.connect(DatabaseUrls.dsn(database.runtime))
    yield connection
    await connection.close()


@pytest.fixture
async def two(users: Users) -> tuple[tuple[Person, UUID], tuple[Person, UUID]]:
    one, other = await users.person(), await users.person()
    found = (one, await one.project("one")), (other, await other.project("other"))
    assert await users.fetch("SELECT FROM event")
    return found


# Tables from which the role may read every row.
PROJECT_TABLES = """
    SELECT c.relname FROM pg_class c JOIN pg_attribute a ON a.attrelid = c.oid AND a.attname = 'project_id'
    WHERE c.relkind = 'r' AND c.relnamespace = 'public'::regnamespace AND NOT a.attisdropped
        AND has_any_column_privilege(c.oid, 'SELECT')
"""


async def test_without_a_scope_no_row_is_visible(runtime: Connection, two: object) -> None:
    for table in [row["relname"] for row in await runtime.fetch(PROJECT_TABLES)] + ["project", "account"]:
        assert await runtime.fetchval(f'SELECT count(*) FROM "{table}"') == 0, table  # noqa: S608 - catalogue names


async def test_a_forged_scope_reads_and_writes_no_row(
    runtime: Connection, two: tuple[tuple[Person, UUID], tuple[Person, UUID]]
) -> None:
    (one, _), (_, foreign) = two
    async with runtime.transaction():
        assert await runtime.fetchval("SELECT wall.open_scope($1, $2)", f"user:{one.id}", foreign) is None
        assert await runtime.fetchval("SELECT count(*) FROM event") == 0
        events = '[{"type": "t", "subject_kind": "k", "subject_id": "s", "data": {}}]'
        assert await runtime.fetchval("SELECT wall.append_events($1, 'x', $2)", foreign, events) is None
        with pytest.raises(asyncpg.InsufficientPrivilegeError):
            await runtime.execute(
                "INSERT INTO event (project_id, id, type, actor, subject_kind, subject_id)"
                " VALUES ($1, 99, 'x', 'x', 'x', 'x')",
                foreign,
            )


async def test_inside_one_project_the_other_is_invisible(
    runtime: Connection, two: tuple[tuple[Person, UUID], tuple[Person, UUID]]
) -> None:
    (one, mine), (_, foreign) = two
    async with runtime.transaction():
        assert await runtime.fetchval("SELECT wall.open_scope($1, $2)", f"user:{one.id}", mine) == "owner"
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
        "SET ROLE postgres",
        "SET SESSION AUTHORIZATION postgres",
        "SET session_replication_role = replica",
        "ALTER SYSTEM SET row_security = off",
        "ALTER TABLE event NO FORCE ROW LEVEL SECURITY",
        "ALTER POLICY wall ON event USING (true)",
        "CREATE POLICY open ON event USING (true)",
        "CREATE OR REPLACE FUNCTION wall.current_project() RETURNS uuid LANGUAGE sql AS 'SELECT NULL::uuid'",
        "ALTER FUNCTION wall.role_of(text, uuid) SECURITY INVOKER",
        "DROP FUNCTION wall.current_project()",
        "GRANT partywall_owner TO partywall_app",
        "CREATE SCHEMA escape",
        "CREATE TEMPORARY TABLE escape (id int)",
        "CREATE EXTENSION dblink",
        "CREATE TRIGGER escape BEFORE INSERT ON event EXECUTE FUNCTION suppress_redundant_updates_trigger()",
        "CREATE RULE escape AS ON SELECT TO event DO INSTEAD SELECT * FROM document",
        "SELECT rolname, rolpassword FROM pg_authid",
        "SELECT * FROM pg_statistic",
        "COPY event TO PROGRAM 'cat'",
        "COPY event FROM PROGRAM 'true'",
        "COPY event TO '/tmp/events'",
        "SELECT pg_read_file('/etc/passwd')",
        "SELECT pg_ls_dir('.')",
        "SELECT lo_import('/etc/passwd')",
        "SELECT lo_export(1, '/tmp/object')",
        "INSERT INTO account (email) VALUES ('made@example.com')",
        "UPDATE project_member SET project_id = uuidv7()",
        "UPDATE document SET project_id = uuidv7()",
        "UPDATE api_key SET role = 'admin'",
        "SELECT secret_hash FROM api_key",
        "SELECT password_hash FROM account",
    ],
)
async def test_the_runtime_role_cannot_gain_rights(runtime: Connection, statement: str) -> None:
    with pytest.raises((asyncpg.InsufficientPrivilegeError, asyncpg.UndefinedTableError)):
        await runtime.execute(statement)


async def test_the_statistics_of_columns_show_no_values(runtime: Connection, users: Users, two: object) -> None:
    """PostgreSQL keeps the most common values of every column and shows them to every role that may read the table."""
    await users.execute("ANALYZE event, document, project, project_member, account")
    kept = await users.fetch("SELECT DISTINCT tablename FROM pg_stats WHERE schemaname = 'public'")
    assert {"event", "project", "account"} <= {row["tablename"] for row in kept}
    shown = await runtime.fetch("SELECT DISTINCT tablename FROM pg_stats WHERE schemaname = 'public'")
    guarded = await users.fetch("SELECT relname FROM pg_class WHERE relrowsecurity")
    assert {row["tablename"] for row in shown} & {row["relname"] for row in guarded} == set()


async def _seen(runtime: Connection) -> dict[str, int]:
    tables = [row["relname"] for row in await runtime.fetch(PROJECT_TABLES)] + ["project"]
    counts = {table: await runtime.fetchval(f'SELECT count(*) FROM "{table}"') for table in tables}  # noqa: S608 - catalogue names
    return {table: count for table, count in counts.items() if count}


async def test_an_incomplete_scope_is_no_scope(
    runtime: Connection, two: tuple[tuple[Person, UUID], tuple[Person, UUID]]
) -> None:
    """The project alone shows nothing; the principal alone shows its projects, but nothing in them."""
    (one, mine), _ = two
    async with runtime.transaction():
        await runtime.execute("SELECT set_config('partywall.project', $1, true)", str(mine))
        assert await _seen(runtime) == {}
    async with runtime.transaction():
        await runtime.execute("SELECT set_config('partywall.principal', $1, true)", f"user:{one.id}")
        assert await _seen(runtime) == {"project": 1}


@pytest.mark.parametrize(
    "made_up",
    [
        "user:{outsider}", "user:{mine}", "user:{foreign}", "service:{mine}", "service:{outsider}", "key:{outsider}",
        "key:{foreign}", "key:{owner}", "owner:{owner}", "USER:{owner}", " user:{owner}", "user{owner}", "{owner}",
        "service:", "service:%", "system", "postgres", "partywall_owner",
    ],
)  # fmt: skip
async def test_an_invented_principal_has_no_access(
    runtime: Connection, two: tuple[tuple[Person, UUID], tuple[Person, UUID]], made_up: str
) -> None:
    (_, mine), (other, foreign) = two
    principal = made_up.format(outsider=uuid4(), mine=mine, foreign=foreign, owner=other.id)
    async with runtime.transaction():
        await runtime.execute("SELECT set_config('partywall.principal', $1, true)", principal)
        await runtime.execute("SELECT set_config('partywall.project', $1, true)", str(foreign))
        assert await runtime.fetchval("SELECT wall.role_of($1, $2)", principal, foreign) is None
        assert await runtime.fetchval("SELECT wall.current_project()") is None
        assert await _seen(runtime) == {}


@pytest.mark.parametrize("broken", ["user:", "user:x", "user:%", "user:' OR true --", "key:", "key:x"])
async def test_a_broken_principal_is_an_error_or_nothing(
    runtime: Connection, two: tuple[tuple[Person, UUID], tuple[Person, UUID]], broken: str
) -> None:
    _, (_, foreign) = two
    with pytest.raises(asyncpg.InvalidTextRepresentationError):
        await runtime.execute("SELECT wall.open_scope($1, $2)", broken, foreign)


async def test_a_setting_outside_a_transaction_is_gone_with_its_statement(
    runtime: Connection, two: tuple[tuple[Person, UUID], tuple[Person, UUID]]
) -> None:
    (one, mine), _ = two
    assert await runtime.fetchval("SELECT wall.open_scope($1, $2)", f"user:{one.id}", mine) == "owner"
    assert await _seen(runtime) == {}


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
            await open_scope(session, one.principal, mine)
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


class _nothing:  # noqa: N801 - used like a context manager
    def __enter__(self) -> None:
        return None

    def __exit__(self, *_: object) -> None:
        return None


async def test_a_disabled_account_enters_nothing(
    resources: Resources, users: Users, two: tuple[tuple[Person, UUID], tuple[Person, UUID]]
) -> None:
    (one, mine), _ = two
    await users.execute("UPDATE account SET disabled_at = now() WHERE id = $1", one.id)
    async with resources.sessions.read() as session:
        with pytest.raises(ProjectNotFoundError):
            await open_scope(session, one.principal, mine)
    assert (await one.client.get(f"/api/v1/projects/{mine}")).status_code == 404
    assert (await one.client.get("/api/v1/projects")).json()["items"] == []


def test_a_scope_cannot_be_constructed_directly(two: object) -> None:
    with pytest.raises(TypeError):
        ProjectScope(UUID(int=1), Principal.user(UUID(int=2)), Role.OWNER, object())


async def test_a_read_transaction_writes_nothing(
    resources: Resources, two: tuple[tuple[Person, UUID], tuple[Person, UUID]]
) -> None:
    (one, mine), _ = two
    async with resources.sessions.read() as session:
        await open_scope(session, one.principal, mine)
        with pytest.raises(DBAPIError, match="read-only"):
            await session.execute(text("UPDATE project SET name = 'x'"))


@pytest.mark.parametrize("role", ["owner", "superuser"])
async def test_the_program_refuses_a_role_with_too_many_rights(database: DatabaseUrls, role: str) -> None:
    engine = create_engine(getattr(database, role), pool_size=1, overflow=0, settings=server_settings("test", 1000))
    try:
        with pytest.raises(PrivilegedRoleError, match="DATABASE__URL"):
            await refuse_privileged_role(engine)
    finally:
        await engine.dispose()
