"""The migrated database enforces what the tables declare in Python."""

from __future__ import annotations

from collections.abc import AsyncIterator

import asyncpg
import pytest
from alembic.autogenerate import compare_metadata
from alembic.migration import MigrationContext
from sqlalchemy import Connection

from partywall.core.db.base import TableKind
from partywall.core.db.engine import create_engine
from partywall.extensions.enabled import enabled_features
from partywall.extensions.table_checks import metadata_of
from partywall.testing.engines import DatabaseUrls
from partywall.testing.users import Users

# Created by a tool; it holds no customer data.
TOOLS = {"alembic_version"}
METADATA = metadata_of(enabled_features())
GUARDED = {TableKind.PROJECT, TableKind.PRINCIPAL, TableKind.DIRECTORY}


def names(*kinds: TableKind) -> list[str]:
    return sorted(table.name for table in METADATA.tables.values() if table.info.get("kind") in kinds)


@pytest.fixture
async def superuser(database: DatabaseUrls) -> AsyncIterator[asyncpg.Connection]:
    connection = await asyncpg.connect(DatabaseUrls.dsn(database.superuser))
    yield connection
    await connection.close()


@pytest.fixture
async def runtime(database: DatabaseUrls) -> AsyncIterator[asyncpg.Connection]:
    connection = await asyncpg.connect(DatabaseUrls.dsn(database.runtime))
    yield connection
    await connection.close()


async def test_every_table_of_the_database_is_classified(superuser: asyncpg.Connection) -> None:
    rows = await superuser.fetch(
        "SELECT relname FROM pg_class WHERE relkind IN ('r', 'p', 'm', 'f')"
        " AND relnamespace NOT IN ('pg_catalog'::regnamespace, 'information_schema'::regnamespace)"
        " AND relnamespace::regnamespace::text NOT LIKE 'pg_toast%'"
    )
    assert {row["relname"] for row in rows} == set(names(*TableKind)) | TOOLS


async def test_the_migrations_make_what_the_models_say(database: DatabaseUrls) -> None:
    engine = create_engine(database.owner, pool_size=1, overflow=0, settings={})
    async with engine.connect() as connection:
        differences = await connection.run_sync(differences_from_models)
    await engine.dispose()
    assert differences == []


def differences_from_models(connection: Connection) -> list[object]:
    options = {"compare_type": True, "include_name": lambda name, kind, _: kind != "table" or name not in TOOLS}
    return list(compare_metadata(MigrationContext.configure(connection, opts=options), METADATA))


@pytest.mark.parametrize("table", names(*GUARDED))
async def test_row_level_security_is_forced(superuser: asyncpg.Connection, table: str) -> None:
    row = await superuser.fetchrow(
        "SELECT relrowsecurity, relforcerowsecurity FROM pg_class WHERE oid = $1::text::regclass", table
    )
    assert row is not None
    assert tuple(row) == (True, True)


# Excludes policies for other roles only (the owner's, for its narrow functions).
POLICIES = """
    SELECT polname, polpermissive, polcmd::text AS command, pg_get_expr(polqual, polrelid) AS reads,
        pg_get_expr(polwithcheck, polrelid) AS writes
    FROM pg_policy
    WHERE polrelid = $1::text::regclass AND (0 = ANY (polroles) OR 'partywall_app'::regrole = ANY (polroles))
"""


@pytest.mark.parametrize("table", names(TableKind.PROJECT))
async def test_a_project_table_yields_the_bound_project_only(superuser: asyncpg.Connection, table: str) -> None:
    """An additional restrictive policy can only remove access."""
    policies = [each for each in await superuser.fetch(POLICIES, table) if each["polpermissive"]]
    assert any(policy["command"] == "*" for policy in policies), "no policy covers every command"
    for policy in policies:
        conditions = [policy[side] for side in ("reads", "writes") if policy[side] is not None]
        assert conditions
        assert all("project_id = ( SELECT wall.current_project()" in each for each in conditions), dict(policy)


@pytest.mark.parametrize("table", names(TableKind.PRINCIPAL))
async def test_a_principal_table_yields_own_rows_only(superuser: asyncpg.Connection, table: str) -> None:
    for policy in await superuser.fetch(POLICIES, table):
        conditions = [policy[side] for side in ("reads", "writes") if policy[side] is not None]
        assert conditions
        assert all("wall.current_" in each for each in conditions), dict(policy)


async def test_nothing_bound_means_no_rows(
    runtime: asyncpg.Connection, superuser: asyncpg.Connection, users: Users
) -> None:
    """For every table, so that new ones are covered. The slices' own tests check what a bound scope admits."""
    await (await users.person()).project()
    assert await users.fetch("SELECT FROM event LIMIT 1")  # after it is numbered
    filled = {table for table in names(*GUARDED) if await count(superuser, table)}
    assert filled >= {"account", "project", "project_member", "event_counter", "event"}
    assert [table for table in names(*GUARDED) if await count(runtime, table)] == []


async def count(connection: asyncpg.Connection, table: str) -> int:
    """The number of rows; also zero if the role may not read the table."""
    try:
        found: int = await connection.fetchval(f'SELECT count(*) FROM "{table}"')  # noqa: S608 - our metadata's name
    except asyncpg.InsufficientPrivilegeError:
        return 0
    return found


async def test_a_referenced_project_table_is_unique_by_project_and_id(superuser: asyncpg.Connection) -> None:
    """Foreign keys between project tables contain the project on both sides."""
    rows = await superuser.fetch(
        """
        SELECT conname, conrelid::regclass::text AS child, confrelid::regclass::text AS parent,
            (SELECT array_agg(attname::text) FROM pg_attribute WHERE attrelid = conrelid AND attnum = ANY (conkey))
                AS columns,
            (SELECT array_agg(attname::text) FROM pg_attribute WHERE attrelid = confrelid AND attnum = ANY (confkey))
                AS targets
        FROM pg_constraint WHERE contype = 'f'
        """
    )
    project_tables = set(names(TableKind.PROJECT))
    between = [row for row in rows if {row["child"], row["parent"]} <= project_tables]
    assert between
    crossable = [
        row["conname"] for row in between if not ("project_id" in row["columns"] and "project_id" in row["targets"])
    ]
    assert crossable == []


async def test_every_foreign_key_is_indexed(superuser: asyncpg.Connection) -> None:
    """Without an index, deleting a parent would read the whole child table."""
    rows = await superuser.fetch(
        """
        SELECT conrelid::regclass::text || '.' || conname AS key FROM pg_constraint AS con
        WHERE contype = 'f' AND NOT EXISTS (
            SELECT FROM pg_index WHERE indrelid = con.conrelid
                AND (indkey::int2[])[0:cardinality(con.conkey) - 1] @> con.conkey)
        """
    )
    assert [row["key"] for row in rows] == []


async def test_the_runtime_role_owns_nothing_and_cannot_climb(runtime: asyncpg.Connection) -> None:
    row = await runtime.fetchrow(
        "SELECT rolsuper, rolbypassrls, rolcreaterole, rolcreatedb, rolreplication, rolinherit FROM pg_roles"
        " WHERE rolname = current_user"
    )
    assert row is not None
    assert not any(row.values())
    assert await runtime.fetchval("SELECT count(*) FROM pg_auth_members WHERE member = current_user::regrole") == 0
    owned = "SELECT count(*) FROM pg_shdepend WHERE deptype = 'o' AND refobjid = current_user::regrole"
    assert await runtime.fetchval(owned) == 0


async def test_the_runtime_role_creates_nothing(runtime: asyncpg.Connection) -> None:
    may_create = await runtime.fetch(
        "SELECT nspname FROM pg_namespace WHERE has_schema_privilege(oid, 'CREATE') AND nspname NOT LIKE 'pg_temp%'"
    )
    assert [row["nspname"] for row in may_create] == []
    assert await runtime.fetchval("SELECT has_database_privilege(current_database(), 'CREATE')") is False


async def test_the_runtime_role_can_neither_empty_nor_trigger(runtime: asyncpg.Connection) -> None:
    """TRUNCATE ignores policies; a trigger could run as someone else, a reference could reveal rows of others."""
    rows = await runtime.fetch(
        """
        SELECT relname FROM pg_class
        WHERE relkind IN ('r', 'p') AND relnamespace = 'public'::regnamespace
            AND has_table_privilege(oid, 'TRUNCATE, REFERENCES, TRIGGER')
        """
    )
    assert [row["relname"] for row in rows] == []


async def test_functions_that_see_more_than_their_caller_are_narrow(superuser: asyncpg.Connection) -> None:
    """SECURITY DEFINER functions set their search path and never belong to the superuser."""
    rows = await superuser.fetch(
        """
        SELECT proname, proowner::regrole::text AS owner, array_to_string(proconfig, ',') AS config,
            has_function_privilege('public', oid, 'EXECUTE') AS open
        FROM pg_proc WHERE prosecdef AND pronamespace NOT IN ('pg_catalog'::regnamespace)
        """
    )
    assert rows
    for row in rows:
        assert "search_path=" in (row["config"] or ""), row["proname"]
        assert row["owner"] != "postgres", row["proname"]
        assert row["open"] is False, row["proname"]


async def test_no_view_lends_its_owners_eyes(superuser: asyncpg.Connection) -> None:
    """A view reads with its owner's rights unless it is `security_invoker`."""
    rows = await superuser.fetch(
        """
        SELECT relname FROM pg_class
        WHERE relkind = 'v' AND pg_get_userbyid(relowner) <> 'postgres'
            AND NOT coalesce(array_to_string(reloptions, ',') LIKE '%security_invoker=true%', false)
            AND relnamespace NOT IN ('pg_catalog'::regnamespace, 'information_schema'::regnamespace)
        """
    )
    assert [row["relname"] for row in rows] == []
