"""A transaction's proof of membership: made once for all its policies, valid for one principal and this transaction."""

from __future__ import annotations

from collections.abc import AsyncIterator
from uuid import UUID

import asyncpg
import pytest

from partywall.core.db.scoped_query import ScopedQuery, Value
from partywall.features.documents.creation import _MAY_WRITE, prepare
from partywall.features.documents.creation_repository import CREATE, values_of
from partywall.features.documents.schemas import DocumentCreate
from partywall.features.documents.upload_repository import ROOM
from partywall.testing.engines import DatabaseUrls
from partywall.testing.users import Person, Users

type Connection = asyncpg.Connection[asyncpg.Record]

BIND = "SELECT set_config('partywall.principal', $1, true), set_config('partywall.project', $2, true)"
CURRENT = "SELECT wall.current_project()"
ENTER = "SELECT wall.open_shared_scope($1, $2)"


@pytest.fixture
async def runtime(database: DatabaseUrls) -> AsyncIterator[Connection]:
    """The runtime role, in a session that counts function calls."""
    connection = await asyncpg.connect(DatabaseUrls.dsn(database.superuser))
    await connection.execute("SET track_functions = 'all'")
    await connection.execute("SET ROLE partywall_app")
    yield connection
    await connection.close()


@pytest.fixture
async def two(users: Users) -> tuple[tuple[Person, UUID], tuple[Person, UUID]]:
    one, other = await users.person(), await users.person()
    return (one, await one.project("one")), (other, await other.project("other"))


CALLS = """
    SELECT coalesce(sum(calls), 0)::integer FROM pg_stat_xact_user_functions
    WHERE schemaname = 'wall' AND funcname = 'role_of'
"""


async def asked(connection: Connection, statement: ScopedQuery, values: dict[str, Value]) -> int:
    """How often the statement looked up a membership."""
    async with connection.transaction():
        before: int = await connection.fetchval(CALLS)
        assert await connection.fetch(statement.sql, *statement.arguments(values))
        after: int = await connection.fetchval(CALLS)
    return after - before


async def test_creating_and_reading_look_a_membership_up_once(
    runtime: Connection, two: tuple[tuple[Person, UUID], tuple[Person, UUID]]
) -> None:
    (one, mine), _ = two
    values: dict[str, Value] = {"principal": str(one.principal), "project_id": mine}
    made = values_of(prepare(DocumentCreate(title="t", content="c")))
    assert await asked(runtime, CREATE, {**values, "roles": _MAY_WRITE, **made}) == 1
    assert await asked(runtime, ROOM, values) == 1


async def test_a_proof_is_of_no_use_for_another_project_or_principal(
    runtime: Connection, two: tuple[tuple[Person, UUID], tuple[Person, UUID]]
) -> None:
    (one, mine), (other, foreign) = two
    async with runtime.transaction():
        assert await runtime.fetchval(ENTER, str(one.principal), mine) == "owner"
        assert await runtime.fetchval(CURRENT) == mine
        for principal, project in ((one, foreign), (other, mine)):
            await runtime.execute(BIND, str(principal.principal), str(project))
            assert await runtime.fetchval(CURRENT) is None
        await runtime.execute(BIND, "", str(mine))
        assert await runtime.fetchval(CURRENT) is None


async def test_a_non_member_proves_nothing(
    runtime: Connection, two: tuple[tuple[Person, UUID], tuple[Person, UUID]]
) -> None:
    (one, _), (_, foreign) = two
    for enter in (ENTER, "SELECT wall.open_scope_statement($1, $2)"):
        async with runtime.transaction():
            assert await runtime.fetchval(enter, str(one.principal), foreign) is None
            assert await runtime.fetchval(CURRENT) is None


async def test_a_proof_ends_with_its_transaction_or_savepoint(
    runtime: Connection, users: Users, two: tuple[tuple[Person, UUID], tuple[Person, UUID]]
) -> None:
    (one, mine), _ = two
    async with runtime.transaction():
        savepoint = runtime.transaction()
        await savepoint.start()
        assert await runtime.fetchval(ENTER, str(one.principal), mine) == "owner"
        await savepoint.rollback()
        await runtime.execute(BIND, str(one.principal), str(mine))
        assert not await runtime.fetchval("SELECT current_setting('partywall.opened', true)")
    async with runtime.transaction():
        assert await runtime.fetchval(ENTER, str(one.principal), mine) == "owner"
    await users.execute("UPDATE account SET disabled_at = now() WHERE id = $1", one.id)
    async with runtime.transaction():
        await runtime.execute(BIND, str(one.principal), str(mine))
        assert await runtime.fetchval(CURRENT) is None
