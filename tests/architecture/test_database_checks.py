"""The checks of the migrated database find their errors, planted one at a time in a copy."""

from __future__ import annotations

from collections.abc import AsyncIterator, Awaitable, Callable

import asyncpg
import pytest

from partywall.testing.engines import DatabaseUrls, Urls, new_database
from tests.architecture import test_database as checks

type Check = Callable[[asyncpg.Connection], Awaitable[None]]


async def forced(connection: asyncpg.Connection) -> None:
    await checks.test_row_level_security_is_forced(connection, "event")


async def bound(connection: asyncpg.Connection) -> None:
    await checks.test_a_project_table_yields_the_bound_project_only(connection, "event")


async def own(connection: asyncpg.Connection) -> None:
    await checks.test_a_principal_table_yields_own_rows_only(connection, "account")


AS_SUPERUSER: list[tuple[str, Check]] = [
    ("CREATE TABLE forgotten (project_id uuid, id uuid)", checks.test_every_table_of_the_database_is_classified),
    ("ALTER TABLE event NO FORCE ROW LEVEL SECURITY", forced),
    ("ALTER TABLE event DISABLE ROW LEVEL SECURITY", forced),
    ("DROP POLICY wall ON event", bound),
    ("CREATE POLICY generous ON event FOR SELECT USING (true)", bound),
    ("CREATE POLICY generous ON event FOR INSERT TO partywall_app WITH CHECK (true)", bound),
    ("CREATE POLICY generous ON account FOR SELECT USING (disabled_at IS NULL)", own),
    (
        "ALTER TABLE event ADD UNIQUE (id); CREATE TABLE forgotten (event bigint REFERENCES event (id))",
        checks.test_every_foreign_key_is_indexed,
    ),
    (
        "CREATE FUNCTION wall.open() RETURNS int LANGUAGE sql SECURITY DEFINER AS 'SELECT 1'",
        checks.test_functions_that_see_more_than_their_caller_are_narrow,
    ),
    (
        "CREATE VIEW everything AS SELECT * FROM event; ALTER VIEW everything OWNER TO partywall_owner",
        checks.test_no_view_lends_its_owners_eyes,
    ),
]
AS_RUNTIME: list[tuple[str, Check]] = [
    ("ALTER ROLE partywall_app INHERIT", checks.test_the_runtime_role_owns_nothing_and_cannot_climb),
    ("ALTER TABLE event OWNER TO partywall_app", checks.test_the_runtime_role_owns_nothing_and_cannot_climb),
    ("GRANT partywall_owner TO partywall_app", checks.test_the_runtime_role_owns_nothing_and_cannot_climb),
    ("GRANT CREATE ON SCHEMA public TO partywall_app", checks.test_the_runtime_role_creates_nothing),
    ("GRANT TRUNCATE ON event TO partywall_app", checks.test_the_runtime_role_can_neither_empty_nor_trigger),
]


@pytest.fixture(scope="module")
async def copy(engines: Urls) -> DatabaseUrls:
    return await new_database(engines, "damaged")


@pytest.fixture
async def damaged(copy: DatabaseUrls) -> AsyncIterator[asyncpg.Connection]:
    """A superuser's transaction that never commits, because roles belong to the whole cluster."""
    connection = await asyncpg.connect(DatabaseUrls.dsn(copy.superuser))
    transaction = connection.transaction()
    await transaction.start()
    yield connection
    await transaction.rollback()
    await connection.close()


@pytest.mark.parametrize(("mistake", "check"), AS_SUPERUSER, ids=[mistake for mistake, _ in AS_SUPERUSER])
async def test_a_mistake_is_found(damaged: asyncpg.Connection, mistake: str, check: Check) -> None:
    await check(damaged)
    await damaged.execute(mistake)
    with pytest.raises(AssertionError):
        await check(damaged)


@pytest.mark.parametrize(("mistake", "check"), AS_RUNTIME, ids=[mistake for mistake, _ in AS_RUNTIME])
async def test_a_right_too_many_is_found(damaged: asyncpg.Connection, mistake: str, check: Check) -> None:
    await damaged.execute(mistake)
    await damaged.execute("SET LOCAL ROLE partywall_app")
    with pytest.raises(AssertionError):
        await check(damaged)
