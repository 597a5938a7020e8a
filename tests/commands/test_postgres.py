from __future__ import annotations

from uuid import uuid4

import asyncpg
import pytest
from alembic.script import ScriptDirectory
from alembic.util import CommandError
from pydantic import SecretStr
from sqlalchemy import text

from partywall.commands.postgres import database_failures, place, require_postgres
from partywall.commands.usage_error import UsageError
from partywall.core.db.engine import create_engine
from partywall.core.db.migrate import DataLossError, Migrated, head_revision, migrate, migrations_directory
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


async def test_a_migration_says_what_it_did(engines: Urls) -> None:
    database = await new_database(engines, "said")
    newest = head_revision()
    older = str(ScriptDirectory(str(migrations_directory())).get_revision(newest).down_revision)
    assert str(await migrate(database.owner, database.runtime)) == f"nothing to do: the schema is at revision {newest}"
    back = await migrate(database.owner, database.runtime, "-1")
    assert str(back) == f"the schema went from revision {newest} to revision {older}"
    forth = await migrate(database.owner, database.runtime)
    assert str(forth) == f"the schema went from revision {older} to revision {newest}"
    again = await migrate(database.owner, database.runtime, older)
    assert str(again) == str(back)
    assert str(Migrated(None, newest)) == f"the schema went from nothing to revision {newest}"


async def test_a_downgrade_is_refused_unless_data_may_be_lost(engines: Urls) -> None:
    """The message says what is lost; nothing has changed yet."""
    database = await new_database(engines, "kept")
    newest = head_revision()
    older = str(ScriptDirectory(str(migrations_directory())).get_revision(newest).down_revision)
    for target, lost in (
        ("base", "loses everything that is stored: all accounts, projects and documents, "),
        ("-9999", "loses everything that is stored: "),
        ("-1", f"loses what revision {newest} has stored "),
        (older, f"loses what revision {newest} has stored "),
        ("-2", f"loses what the revisions {older} to {newest} have stored"),
    ):
        with pytest.raises(DataLossError) as refused:
            await migrate(database.owner, database.runtime, target, keep_data=True)
        assert lost in str(refused.value)
        assert str(refused.value).endswith("give --lose-data as well")
    for target in ("head", newest):
        done = await migrate(database.owner, database.runtime, target, keep_data=True)
        assert str(done) == f"nothing to do: the schema is at revision {newest}"


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
