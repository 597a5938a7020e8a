"""Every migration can be reverted, and applied again with the same schema."""

from __future__ import annotations

import ast
import asyncio
import re

import asyncpg
import pytest
from alembic.config import Config
from alembic.script import Script, ScriptDirectory
from sqlalchemy.exc import DBAPIError

from partywall.core.db import migrate as migrating
from partywall.core.db.migrate import migrate
from partywall.testing.engines import DatabaseUrls, Urls, new_database
from tests.architecture.layout import ROOT

# Tables with their columns, constraints, indexes, policies, functions and rights, without those of extensions.
SCHEMA = """
    WITH ours AS (
        SELECT oid, relname, relkind, relrowsecurity, relforcerowsecurity, relacl FROM pg_class
        WHERE relnamespace IN (SELECT oid FROM pg_namespace WHERE nspname IN ('public', 'wall'))
            AND NOT EXISTS (SELECT FROM pg_depend WHERE objid = pg_class.oid AND deptype = 'e')
    )
    SELECT concat_ws(' ', 'table', relname, relkind, relrowsecurity, relforcerowsecurity, relacl) FROM ours
    UNION ALL
    SELECT concat_ws(' ', 'column', relname, attname, format_type(atttypid, atttypmod), attnotnull, attacl)
        FROM pg_attribute JOIN ours ON ours.oid = attrelid WHERE attnum > 0 AND NOT attisdropped
    UNION ALL
    SELECT concat_ws(' ', 'constraint', relname, conname, pg_get_constraintdef(con.oid))
        FROM pg_constraint AS con JOIN ours ON ours.oid = conrelid
    UNION ALL
    SELECT concat_ws(' ', 'index', pg_get_indexdef(ours.oid)) FROM ours WHERE relkind = 'i'
    UNION ALL
    SELECT concat_ws(' ', 'policy', relname, polname, polcmd, polroles, pg_get_expr(polqual, polrelid),
        pg_get_expr(polwithcheck, polrelid)) FROM pg_policy JOIN ours ON ours.oid = polrelid
    UNION ALL
    SELECT concat_ws(' ', 'function', pg_get_functiondef(pg_proc.oid), proacl) FROM pg_proc
        JOIN pg_namespace ON pg_namespace.oid = pronamespace
        WHERE nspname IN ('public', 'wall') AND prokind = 'f'
            AND NOT EXISTS (SELECT FROM pg_depend WHERE objid = pg_proc.oid AND deptype = 'e')
    UNION ALL
    SELECT concat_ws(' ', 'type', typname, typtype) FROM pg_type
        WHERE typnamespace = 'public'::regnamespace AND typtype IN ('e', 'd')
            AND NOT EXISTS (SELECT FROM pg_depend WHERE objid = pg_type.oid AND deptype = 'e')
    UNION ALL
    SELECT concat_ws(' ', 'schema', nspname, nspacl) FROM pg_namespace WHERE nspname IN ('public', 'wall')
"""


def revisions() -> list[Script]:
    """All revisions, the newest first."""
    config = Config()
    config.set_main_option("script_location", str(ROOT / "migrations"))
    return list(ScriptDirectory.from_config(config).walk_revisions())


@pytest.fixture
async def copy(engines: Urls) -> DatabaseUrls:
    return await new_database(engines, "migrated")


async def schema_of(database: DatabaseUrls) -> set[str]:
    connection = await asyncpg.connect(DatabaseUrls.dsn(database.superuser))
    try:
        return {row[0] for row in await connection.fetch(SCHEMA)}
    finally:
        await connection.close()


async def test_back_to_nothing_and_forward_to_the_same(copy: DatabaseUrls) -> None:
    before = await schema_of(copy)
    assert any(line.startswith("table project ") for line in before)
    await migrate(copy.owner, copy.runtime, f"-{len(revisions())}")
    left = {line for line in await schema_of(copy) if " alembic_version" not in line and "schema public" not in line}
    assert left == set()
    await migrate(copy.owner, copy.runtime)
    assert await schema_of(copy) == before


async def test_each_step_back_and_forward_is_the_same(copy: DatabaseUrls) -> None:
    """From the newest to the first, so that each step is tested on the schema of its own time."""
    before = await schema_of(copy)
    for revision in revisions():
        await migrate(copy.owner, copy.runtime, "-1")
        older = await schema_of(copy)
        await migrate(copy.owner, copy.runtime, revision.revision)
        assert await schema_of(copy) == before, revision.revision
        await migrate(copy.owner, copy.runtime, "-1")
        assert await schema_of(copy) == older, revision.revision
        before = older


def test_the_history_is_one_line_with_descriptive_names() -> None:
    history = list(reversed(revisions()))
    assert [revision.down_revision for revision in history] == [None, *(each.revision for each in history[:-1])]
    numbers = [revision.revision for revision in history]
    assert all(re.fullmatch(r"\d{4}", number) for number in numbers)
    assert numbers == sorted(numbers)
    for revision in history:
        assert re.fullmatch(rf"{revision.revision}_[a-z0-9_]+\.py", str(revision.path).rpartition("/")[2])
        assert revision.doc


async def test_a_migration_that_waits_for_a_lock_gives_up_before_requests_queue_behind_it(
    copy: DatabaseUrls, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The lock's holder continues, and the migration changes nothing."""
    monkeypatch.setattr(migrating, "_LOCK_TIMEOUT_MS", 50)
    before = await schema_of(copy)
    holder = await asyncpg.connect(DatabaseUrls.dsn(copy.superuser))
    try:
        async with holder.transaction():
            await holder.execute("LOCK TABLE alembic_version IN SHARE MODE")
            async with asyncio.timeout(60):
                with pytest.raises(DBAPIError, match="lock timeout"):
                    await migrate(copy.owner, copy.runtime, "-1")
        assert await schema_of(copy) == before
    finally:
        await holder.close()


def test_a_migration_says_itself_what_it_does() -> None:
    """Code that a migration imports would change later, and with it what the migration did elsewhere."""
    for revision in revisions():
        tree = ast.parse((ROOT / "migrations" / "versions" / str(revision.path).rpartition("/")[2]).read_text())
        imported = {node.module for node in ast.walk(tree) if isinstance(node, ast.ImportFrom)}
        plain = {alias.name for node in ast.walk(tree) if isinstance(node, ast.Import) for alias in node.names}
        allowed = {"__future__", "pathlib", "alembic", "sqlalchemy", "partywall.core.db.ddl"}
        assert imported | plain <= allowed, revision.revision
