"""The SQL files beside the code are the schema: a migrated database has what they say, and nothing else."""

from __future__ import annotations

import shutil
import subprocess
import sys
from pathlib import Path

import asyncpg
import pytest

from partywall.core.db import migrate as migrating
from partywall.core.db import sql_files
from partywall.core.db.migrate import migrate
from partywall.testing.engines import DatabaseUrls, Urls, new_database
from tests.architecture.catalogue import catalogue, differences, made_from_files
from tests.architecture.layout import PACKAGE, ROOT

HOW = "the migrations do not make what the SQL files say: see docs/how-to/change-the-schema.md"
CHANGED = "core/db/sql/scope.sql"
DELTA = f'''
"""a test's change of one file"""

from partywall.core.db.sql_files import load_sql

revision = "0002"
down_revision = "0001"


def upgrade() -> None:
    load_sql(revision, "{CHANGED}")


def downgrade() -> None:
    load_sql(down_revision, "{CHANGED}")
'''


async def test_a_migrated_database_equals_the_files(database: DatabaseUrls, engines: Urls) -> None:
    found = differences(await catalogue(database), await catalogue(await made_from_files(engines, PACKAGE)))
    assert found == [], HOW


async def test_every_function_is_valid(database: DatabaseUrls) -> None:
    """The files are loaded without this check, because functions name tables of later files."""
    connection = await asyncpg.connect(DatabaseUrls.dsn(database.superuser))
    try:
        functions = await connection.fetch(
            "SELECT p.oid, lanname FROM pg_proc AS p JOIN pg_language AS l ON l.oid = prolang"
            " WHERE pronamespace = 'wall'::regnamespace"
        )
        assert {row["lanname"] for row in functions} == {"sql", "plpgsql"}
        for oid, language in functions:
            validator = "fmgr_sql_validator" if language == "sql" else "plpgsql_validator"
            await connection.execute(f"SELECT {validator}({oid})")
    finally:
        await connection.close()


@pytest.fixture
def checkout(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A copy of the migrations and SQL files as after a release, which `migrate` uses."""
    shutil.copytree(ROOT / "migrations", tmp_path / "migrations", ignore=shutil.ignore_patterns("__pycache__"))
    shutil.copytree(ROOT / "tools", tmp_path / "tools")
    package = tmp_path / "src" / "partywall"
    for path in PACKAGE.rglob("sql/*.sql"):
        copy = package / path.relative_to(PACKAGE)
        copy.parent.mkdir(parents=True, exist_ok=True)
        shutil.copyfile(path, copy)
    monkeypatch.setattr(sql_files, "PACKAGE", package)
    monkeypatch.setattr(migrating, "migrations_directory", lambda: tmp_path / "migrations")
    copy_sql(tmp_path, "0001")
    return tmp_path


def copy_sql(checkout: Path, *arguments: str) -> None:
    subprocess.run([sys.executable, str(checkout / "tools" / "copy_sql.py"), *arguments], check=True)


async def test_a_released_file_changes_by_a_migration_that_loads_it(checkout: Path, engines: Urls) -> None:
    database = await new_database(engines, "delta")
    released = await catalogue(database)
    file = sql_files.PACKAGE / CHANGED
    file.write_text(file.read_text().replace("LIKE 'user:%'", "LIKE 'person:%'"))
    files = await catalogue(await made_from_files(engines, sql_files.PACKAGE))
    await migrate(database.owner, database.runtime)
    found = differences(await catalogue(database), files)
    assert {each.split("(")[0].rpartition(".")[2] for each in found} == {"current_user_id", "memberships", "role_of"}

    (checkout / "migrations" / "versions" / "0002_delta.py").write_text(DELTA)
    copy_sql(checkout, "0002", CHANGED)
    await migrate(database.owner, database.runtime)
    assert await catalogue(database) == files
    await migrate(database.owner, database.runtime, "-1")
    assert await catalogue(database) == released
    await migrate(database.owner, database.runtime, "base")
    await migrate(database.owner, database.runtime)
    assert await catalogue(database) == files
