from __future__ import annotations

import shutil
from pathlib import Path
from uuid import uuid4

import asyncpg
import pytest
from alembic.util import CommandError
from pydantic import SecretStr
from sqlalchemy import text

from partywall.commands.postgres import database_failures, place, require_postgres
from partywall.commands.usage_error import UsageError
from partywall.core.db import migrate as migrating
from partywall.core.db.engine import create_engine
from partywall.core.db.migrate import DataLossError, migrate, migrations_directory
from partywall.testing.engines import DatabaseUrls, Urls, create_database, new_database
from tests.server import free_port


async def test_the_url_is_returned_when_the_server_answers(database: DatabaseUrls) -> None:
    assert await require_postgres("DATABASE__URL", SecretStr(database.runtime)) == database.runtime


@pytest.mark.parametrize(
    ("url", "reason"),
    [
        (None, "DATABASE__URL is not set"),
        ("not a url", "DATABASE__URL is not a valid URL"),
        ("postgresql://app:very-secret@127.0.0.1:{port}/wall", "127.0.0.1:{port}/wall as app .*connection refused"),
        ("postgresql://app:very-secret@nobody.invalid/wall", "nobody.invalid/wall as app"),
    ],
)
async def test_an_unreachable_server_is_reported_without_the_password(url: str | None, reason: str) -> None:
    port = free_port()
    secret = None if url is None else SecretStr(url.format(port=port))
    with pytest.raises(UsageError, match=reason.format(port=port)) as refusal:
        await require_postgres("DATABASE__URL", secret)
    assert "very-secret" not in refusal.value.message
    assert "\n" not in refusal.value.message


async def test_the_wrong_password_is_not_shown(database: DatabaseUrls) -> None:
    url = DatabaseUrls.dsn(database.runtime).replace(":", ":very-secret", 2).replace(":very-secret", ":", 1)
    with pytest.raises(UsageError, match="password authentication failed") as refusal:
        await require_postgres("DATABASE__URL", SecretStr(url))
    assert "very-secret" not in refusal.value.message


async def test_a_database_without_a_schema_says_to_migrate(engines: Urls) -> None:
    await create_database(engines, "partywall_without_schema")
    url = SecretStr(engines.database("partywall_without_schema").owner)
    with pytest.raises(UsageError, match="partywall migrate"):
        await require_postgres("DATABASE__OWNER_URL", url)
    assert await require_postgres("DATABASE__OWNER_URL", url, schema=False)


@pytest.mark.parametrize(
    ("sql", "reason"),
    [("SELECT * FROM nowhere", 'relation "nowhere" does not exist'), ("SELECT 1/0", "division by zero")],
)
async def test_a_refused_statement_is_one_line(database: DatabaseUrls, sql: str, reason: str) -> None:
    engine = create_engine(database.runtime, pool_size=1, overflow=0, settings={})
    try:
        with pytest.raises(UsageError, match=reason) as refusal, database_failures():
            async with engine.connect() as connection:
                await connection.execute(text(sql))
    finally:
        await engine.dispose()
    assert "\n" not in refusal.value.message


def test_a_url_is_shown_with_its_socket_and_no_password() -> None:
    assert place("postgresql://app:very-secret@/wall?host=/run/pg") == "/run/pg/wall as app"


ADDITION = '''
"""a table of notes"""

from partywall.core.db.sql_files import run_sql

revision = "{revision}"
down_revision = "{before}"


def upgrade() -> None:
    run_sql("CREATE TABLE note_{revision} ()")


def downgrade() -> None:
    run_sql("DROP TABLE note_{revision}")
'''


@pytest.fixture
def three_revisions(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Our migration and two later ones; a new database is at the first."""
    copy = shutil.copytree(migrations_directory(), tmp_path / "migrations")
    for before, revision in (("0001", "0002"), ("0002", "0003")):
        (copy / "versions" / f"{revision}_note.py").write_text(ADDITION.format(before=before, revision=revision))
    monkeypatch.setattr(migrating, "migrations_directory", lambda: copy)


@pytest.mark.usefixtures("three_revisions")
async def test_a_migration_says_what_it_did(engines: Urls) -> None:
    database = await new_database(engines, "said")
    for target, said in (
        ("0001", "nothing to do: the schema is at revision 0001"),
        ("+1", "the schema went from revision 0001 to revision 0002"),
        ("head", "the schema went from revision 0002 to revision 0003"),
        ("-2", "the schema went from revision 0003 to revision 0001"),
        ("0003", "the schema went from revision 0001 to revision 0003"),
        ("0002", "the schema went from revision 0003 to revision 0002"),
        ("base", "the schema went from revision 0002 to nothing"),
        ("base", "nothing to do: the schema is at nothing"),
    ):
        assert str(await migrate(database.owner, database.runtime, target)) == said


@pytest.mark.usefixtures("three_revisions")
async def test_a_target_that_does_not_exist_is_refused(engines: Urls) -> None:
    database = await new_database(engines, "refused")
    for target, refusal in (
        ("0000", "there is no revision 0000: the newest is 0003"),
        ("+3", r"\+3 goes too far: 1 back and 2 forward are possible"),
        ("-2", "-2 goes too far: 1 back and 2 forward are possible"),
    ):
        with pytest.raises(CommandError, match=f"^{refusal}$"):
            await migrate(database.owner, database.runtime, target)


async def test_a_schema_of_a_newer_version_is_left_alone(engines: Urls) -> None:
    database = await new_database(engines, "newer")
    owner = await asyncpg.connect(DatabaseUrls.dsn(database.owner))
    try:
        await owner.execute("UPDATE alembic_version SET version_num = '9999'")
    finally:
        await owner.close()
    for target in ("head", "base", "-1"):
        with pytest.raises(CommandError, match="at revision 9999, which this version does not know"):
            await migrate(database.owner, database.runtime, target)


@pytest.mark.usefixtures("three_revisions")
async def test_a_downgrade_is_refused_unless_data_may_be_lost(engines: Urls) -> None:
    """The message says what is lost; nothing has changed yet."""
    database = await new_database(engines, "kept")
    await migrate(database.owner, database.runtime)
    for target, lost in (
        ("base", "loses everything that is stored: all accounts, projects and documents, "),
        ("-3", "loses everything that is stored: "),
        ("-1", "loses what revision 0003 has stored (a table of notes)"),
        ("0002", "loses what revision 0003 has stored "),
        ("-2", "loses what the revisions 0002 to 0003 have stored"),
    ):
        with pytest.raises(DataLossError) as refused:
            await migrate(database.owner, database.runtime, target, keep_data=True)
        assert lost in str(refused.value)
        assert str(refused.value).endswith("give --lose-data as well")
    for target in ("head", "0003"):
        done = await migrate(database.owner, database.runtime, target, keep_data=True)
        assert str(done) == "nothing to do: the schema is at revision 0003"


async def test_a_database_without_the_extensions_names_them(engines: Urls) -> None:
    name = f"partywall_bare_{uuid4().hex[:12]}"
    await create_database(engines, name, "template0")
    bare = engines.database(name)
    superuser = await asyncpg.connect(DatabaseUrls.dsn(bare.superuser))
    try:
        await superuser.execute("CREATE EXTENSION vector; CREATE EXTENSION pg_trgm")
    finally:
        await superuser.close()
    expected = "lacks btree_gin, unaccent: have a superuser run CREATE EXTENSION btree_gin; CREATE EXTENSION unaccent;$"
    with pytest.raises(CommandError, match=expected):
        await migrate(bare.owner, bare.runtime)


def test_a_refused_statement_is_not_reported_as_unreachable() -> None:
    for error, expected in (
        (asyncpg.UndefinedObjectError("no such dictionary"), "PostgreSQL refused: no such dictionary"),
        (asyncpg.CannotConnectNowError("starting up"), "PostgreSQL is unreachable: starting up"),
    ):
        with pytest.raises(UsageError, match=expected), database_failures():
            raise error
