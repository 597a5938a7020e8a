"""Migrations of installed packages: applied after ours, taken back before them, and kept to their own tables."""

from __future__ import annotations

from pathlib import Path
from textwrap import dedent

import asyncpg
import pytest
from alembic.util import CommandError

from partywall.core.db.feature_migrations import FailedMigrationError
from partywall.core.db.migrate import DataLossError
from partywall.core.feature import Feature, FeatureError
from partywall.extensions.histories import histories
from partywall.extensions.migrations import migrate_all
from partywall.supervisor.migrations import at_head
from partywall.supervisor.options import ServeOptions
from partywall.testing.engines import DatabaseUrls, Urls, new_database

FIRST = """
from sqlalchemy import Column, Text
from alembic import op
from partywall.api.migrations import create_project_table, guard_project_table

revision = "0001"
down_revision = None

def upgrade():
    create_project_table("orders", Column("title", Text, nullable=False))

def downgrade():
    op.drop_table("orders")
"""
SECOND = """
from alembic import op

revision = "0002"
down_revision = "0001"

def upgrade():
    op.execute({up!r})

def downgrade():
    op.execute({down!r})
"""


@pytest.fixture
def package(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    folder = tmp_path / "acme_orders" / "migrations"
    folder.mkdir(parents=True)
    (folder / "0001_orders.py").write_text(dedent(FIRST))
    monkeypatch.syspath_prepend(str(tmp_path))
    return folder


def second(folder: Path, up: str, down: str = "SELECT 1") -> None:
    (folder / "0002_more.py").write_text(SECOND.format(up=up, down=down))


FEATURES = (Feature(name="orders", migrations="acme_orders.migrations"),)


async def move(database: DatabaseUrls, target: str = "head", *, keep_data: bool = False) -> list[str]:
    return await migrate_all(database.owner, database.runtime, target, FEATURES, keep_data=keep_data)


async def fetch(database: DatabaseUrls, sql: str) -> list[object]:
    connection = await asyncpg.connect(DatabaseUrls.dsn(database.superuser))
    try:
        return [row[0] for row in await connection.fetch(sql)]
    finally:
        await connection.close()


async def test_a_feature_goes_forth_and_back(engines: Urls, package: Path) -> None:
    database = await new_database(engines, "orders")
    directories = {each.version_table: each.folder for each in histories(FEATURES)}
    tables = ServeOptions(feature_migrations=directories).version_tables
    second(package, "CREATE INDEX orders_title_idx ON orders (title)", "DROP INDEX orders_title_idx")
    assert not await at_head(DatabaseUrls.dsn(database.owner), tables)
    core, orders = await move(database)
    assert core.startswith("nothing to do")
    assert orders == "orders: the schema went from nothing to revision 0002"
    assert await at_head(DatabaseUrls.dsn(database.owner), tables)
    with pytest.raises(DataLossError, match="from revision 0002 of orders to -1 loses"):
        await move(database, "orders@-1", keep_data=True)
    assert await move(database, "orders@-1") == ["orders: the schema went from revision 0002 to revision 0001"]
    assert not await at_head(DatabaseUrls.dsn(database.owner), tables)
    orders, core = await move(database, "base")
    assert orders == "orders: the schema went from revision 0001 to nothing"
    assert core.endswith("to nothing")
    assert await fetch(database, "SELECT relname FROM pg_class WHERE relname = 'orders'") == []


async def test_its_table_is_behind_the_wall(engines: Urls, package: Path) -> None:
    database = await new_database(engines, "walled")
    await move(database)
    [guarded] = await fetch(
        database, "SELECT relrowsecurity AND relforcerowsecurity FROM pg_class WHERE oid = 'orders'::regclass"
    )
    [policy] = await fetch(database, "SELECT qual FROM pg_policies WHERE tablename = 'orders'")
    [key] = await fetch(database, "SELECT pg_get_constraintdef(oid) FROM pg_constraint WHERE conname = 'orders_pkey'")
    assert guarded is True
    assert "project_id = ( SELECT wall.current_project()" in str(policy)
    assert key == "PRIMARY KEY (project_id, id)"
    connection = await asyncpg.connect(DatabaseUrls.dsn(database.runtime))
    try:
        assert await connection.fetch("SELECT * FROM orders") == []
        with pytest.raises(asyncpg.InsufficientPrivilegeError, match="row-level security"):
            await connection.execute("INSERT INTO orders (project_id, title) VALUES (gen_random_uuid(), 'x')")
    finally:
        await connection.close()


@pytest.mark.parametrize(
    ("up", "said"),
    [
        ("ALTER TABLE document ADD COLUMN price numeric", "changes document, which is not its own"),
        ("ALTER TABLE document NO FORCE ROW LEVEL SECURITY", "changes document, which is not its own"),
        ("CREATE POLICY orders_all ON document USING (true)", "changes document, which is not its own"),
        ("DROP POLICY wall ON webhook", "changes webhook, which is not its own"),
        ("GRANT DELETE ON account TO PUBLIC", "changes account, which is not its own"),
        ("CREATE INDEX orders_idx ON document (title)", "changes document, which is not its own"),
        ("INSERT INTO job_schedule SELECT 'orders.x', now()", "changes job_schedule, which is not its own"),
        ("CREATE TABLE bills (id uuid)", "changes bills, which is not its own"),
        (
            "CREATE OR REPLACE FUNCTION wall.current_project() RETURNS uuid LANGUAGE sql AS 'SELECT NULL::uuid'",
            "current_project",
        ),
        ("CREATE FUNCTION wall.orders_all() RETURNS int LANGUAGE sql AS 'SELECT 1'", "changes orders_all"),
        ("CREATE TABLE wall.orders_all (id uuid)", "changes orders_all"),
        ("ALTER DEFAULT PRIVILEGES GRANT SELECT ON TABLES TO PUBLIC", "changes default privileges"),
        ("CREATE TABLE orders_paid (project_id uuid)", "leaves the table orders_paid open to other projects"),
        ("CREATE POLICY everyone ON orders USING (true)", "leaves the table orders open to other projects"),
        ("CREATE TYPE mood AS ENUM ('good')", "changes mood, which is not its own"),
        ("COMMENT ON TABLE document IS 'mine'", "changes the comment on public.document, which is not its own"),
        ("COMMENT ON SCHEMA wall IS 'mine'", "changes the comment on wall, which is not its own"),
        (
            "ALTER ROLE CURRENT_USER SET search_path = public",
            "the settings of a role or database, which is not its own",
        ),
        ("CREATE TEXT SEARCH CONFIGURATION english (COPY = simple)", "changes english, which is not its own"),
        ("CREATE STATISTICS orders_s ON id, title FROM document", "changes document, which is not its own"),
        ("SELEKT 1", 'fails: syntax error at or near "SELEKT": correct it'),
        ("CREATE ROLE orders_all", "fails: permission denied to create role: correct it"),
    ],
)
async def test_a_migration_that_changes_what_is_not_its_own_or_fails_is_rolled_back(
    wandering: DatabaseUrls, package: Path, up: str, said: str
) -> None:
    second(package, up)
    with pytest.raises(FailedMigrationError, match=said) as refused:
        await move(wandering, "orders@head")
    assert str(refused.value).startswith("the migration 0002_more.py of the feature orders ")
    assert "\n" not in str(refused.value)
    assert await fetch(wandering, "SELECT version_num FROM orders_alembic_version") == ["0001"]


@pytest.fixture(scope="module")
async def wandering(engines: Urls) -> DatabaseUrls:
    return await new_database(engines, "wandering")


async def test_whatever_begins_with_its_name_is_its_own(wandering: DatabaseUrls, package: Path) -> None:
    kinds = "CREATE TYPE orders_mood AS ENUM ('good'); CREATE DOMAIN orders_sum AS int CHECK (VALUE > 0)"
    said = "COMMENT ON TYPE orders_mood IS 'x'; COMMENT ON POLICY wall ON orders IS 'x'; COMMENT ON TABLE orders IS 'x'"
    text = FIRST.replace('revision = "0001"\ndown_revision = None', 'revision = "0002"\ndown_revision = "0001"')
    steps = "".join(f"    op.execute({step!r})\n" for step in f"{kinds}; {said}".split("; "))
    head, _, _ = text.partition("    create_project_table(")
    back = "    op.execute('DROP TYPE orders_mood')\n    op.execute('DROP DOMAIN orders_sum')\n"
    (package / "0002_more.py").write_text(f"{head}{steps}\ndef downgrade():\n{back}")
    [done] = await move(wandering, "orders@head")
    assert done.endswith(" to revision 0002")
    [done] = await move(wandering, "orders@-1")
    assert done.endswith(" to revision 0001")


async def test_a_wrong_target_is_one_line(engines: Urls, package: Path) -> None:
    database = await new_database(engines, "targets")
    for target, said in (
        ("bills@head", "there are no migrations of a feature bills: name one of orders"),
        ("orders@0009", "orders has no revision 0009: its revisions are 0001"),
        ("orders@-2", "orders has no revision -2: its revisions are 0001"),
    ):
        with pytest.raises(CommandError, match=said):
            await move(database, target)


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("import nowhere_at_all", "cannot be imported: No module named 'nowhere_at_all': install nowhere_at_all, or"),
        ("raise SystemExit", "0002_more.py, which cannot be imported: SystemExit: correct it"),
        ("HELP = 1", "0002_more.py, which is no migration: give it revision"),
    ],
)
async def test_a_migration_that_cannot_be_imported_is_refused_before_anything_is_done(
    package: Path, text: str, said: str
) -> None:
    (package / "0002_more.py").write_text(text)
    nowhere = "postgresql+asyncpg://nobody@127.0.0.1:1/none"
    with pytest.raises(FeatureError, match=f"the feature orders has .*{said}"):
        await migrate_all(nowhere, nowhere, "head", FEATURES)


async def test_whatever_a_migration_raises_is_one_line(engines: Urls, package: Path) -> None:
    database = await new_database(engines, "raising")
    second(package, "SELECT 1")
    text = (package / "0002_more.py").read_text()
    for error, said in (("RuntimeError('one\\ntwo')", "one two"), ("SystemExit", "SystemExit")):
        (package / "0002_more.py").write_text(text.replace("op.execute('SELECT 1')", f"raise {error}"))
        with pytest.raises(FailedMigrationError, match=f"^the migration 0002_more.py .* fails: {said}: correct it$"):
            await move(database)


def test_a_missing_package_is_refused() -> None:
    with pytest.raises(FeatureError, match=r"names its migrations nowhere\.migrations, which is no package"):
        list(histories((Feature(name="orders", migrations="nowhere.migrations"),)))


@pytest.mark.parametrize(
    ("files", "said"),
    [
        ({"0002": '"0001"', "0002b": '"0001"'}, r"\(0002b\.py\): 2 heads: 0002 and 0002b follow 0001: let each"),
        ({"0002": "None"}, r"2 roots: 0001 and 0002 follow no other: let each"),
        ({"0002": '"0001"', "0002b": '"0001"', "0003": '("0002", "0002b")'}, "2 heads: 0002 and 0002b follow 0001"),
        ({"0002": '"0007"'}, "0002 follows 0007, which does not exist: correct its down_revision"),
        ({"0001": "None"}, "2 revisions are called 0001: rename all but one"),
        ({"0002": '"0001"\n)'}, r"a migration that cannot be read: unmatched '\)' \(0002\.py, line 3\): correct it"),
    ],
)
def test_migrations_in_no_line_are_refused(package: Path, files: dict[str, str], said: str) -> None:
    for name, after in files.items():
        (package / f"{name}.py").write_text(f'revision = "{name}"\ndown_revision = {after}\n')
    with pytest.raises(FeatureError, match=f"^the feature orders has .*{said}"):
        list(histories(FEATURES))
