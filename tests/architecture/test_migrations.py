"""The migrations can be reverted, and applied again with the same schema."""

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
from tests.architecture.catalogue import catalogue
from tests.architecture.layout import ROOT


def revisions() -> list[Script]:
    """All revisions, the newest first."""
    config = Config()
    config.set_main_option("script_location", str(ROOT / "migrations"))
    return list(ScriptDirectory.from_config(config).walk_revisions())


@pytest.fixture
async def copy(engines: Urls) -> DatabaseUrls:
    return await new_database(engines, "migrated")


async def test_back_to_nothing_and_forward_to_the_same(copy: DatabaseUrls) -> None:
    before = await catalogue(copy)
    assert any(line.startswith("relation project ") for line in before)
    await migrate(copy.owner, copy.runtime, "base")
    left = {line for line in await catalogue(copy) if " alembic_version" not in line and "schema public" not in line}
    assert left == set()
    await migrate(copy.owner, copy.runtime)
    assert await catalogue(copy) == before


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
    before = await catalogue(copy)
    holder = await asyncpg.connect(DatabaseUrls.dsn(copy.superuser))
    try:
        async with holder.transaction():
            await holder.execute("LOCK TABLE alembic_version IN SHARE MODE")
            async with asyncio.timeout(60):
                with pytest.raises(DBAPIError, match="lock timeout"):
                    await migrate(copy.owner, copy.runtime, "-1")
        assert await catalogue(copy) == before
    finally:
        await holder.close()


def test_a_migration_says_itself_what_it_does() -> None:
    """Code that a migration imports would change later, and with it what the migration did elsewhere."""
    for revision in revisions():
        tree = ast.parse((ROOT / "migrations" / "versions" / str(revision.path).rpartition("/")[2]).read_text())
        imported = {node.module for node in ast.walk(tree) if isinstance(node, ast.ImportFrom)}
        plain = {alias.name for node in ast.walk(tree) if isinstance(node, ast.Import) for alias in node.names}
        allowed = {"__future__", "pathlib", "alembic", "sqlalchemy", "partywall.core.db.sql_files"}
        assert imported | plain <= allowed, revision.revision
