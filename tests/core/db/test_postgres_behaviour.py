"""PostgreSQL behaviours that have caused leaks elsewhere, and how ours handles each."""

from __future__ import annotations

from collections.abc import AsyncIterator
from uuid import UUID

import asyncpg
import pytest

from partywall.testing.engines import DatabaseUrls
from partywall.testing.users import Person, Users

SETTING = "SELECT current_setting('partywall.project', true)"


@pytest.fixture
async def runtime(database: DatabaseUrls) -> AsyncIterator[asyncpg.Connection]:
    connection = await asyncpg.connect(DatabaseUrls.dsn(database.runtime))
    yield connection
    await connection.close()


@pytest.fixture
async def owner(database: DatabaseUrls) -> AsyncIterator[asyncpg.Connection]:
    connection = await asyncpg.connect(DatabaseUrls.dsn(database.owner))
    yield connection
    await connection.close()


@pytest.fixture
async def person(users: Users) -> Person:
    return await users.person()


@pytest.fixture
async def project(person: Person) -> UUID:
    project = await person.project()
    answer = await person.client.post(f"/api/v1/projects/{project}/documents", json={"title": "t", "content": "c"})
    assert answer.status_code == 201, answer.text
    return project


async def enter(connection: asyncpg.Connection, person: Person, project: UUID) -> None:
    assert await connection.fetchval("SELECT wall.open_scope($1, $2)", str(person.principal), project) == "owner"


async def test_after_a_transaction_the_setting_is_empty_and_not_null(
    runtime: asyncpg.Connection, person: Person, project: UUID
) -> None:
    assert await runtime.fetchval(SETTING) is None
    async with runtime.transaction():
        await enter(runtime, person, project)
        assert await runtime.fetchval("SELECT count(*) FROM document") == 1
    assert await runtime.fetchval(SETTING) == ""
    for bound in ("current_project", "current_principal", "current_user_id", "person_role"):
        assert await runtime.fetchval(f"SELECT wall.{bound}()") is None
    assert await runtime.fetchval("SELECT count(*) FROM document") == 0


async def test_a_released_savepoint_keeps_its_scope(runtime: asyncpg.Connection, person: Person, project: UUID) -> None:
    """So no test may stand between two requests with a savepoint: the second would find the first one's scope."""
    async with runtime.transaction():
        async with runtime.transaction():
            await enter(runtime, person, project)
        assert await runtime.fetchval("SELECT count(*) FROM document") == 1
    assert await runtime.fetchval("SELECT count(*) FROM document") == 0


async def test_the_owner_changes_no_row_of_a_project_by_accident(owner: asyncpg.Connection, project: UUID) -> None:
    """A data migration must opt out of row-level security explicitly, or it silently changes nothing."""
    assert await owner.execute("UPDATE document SET title = 'migrated' WHERE project_id = $1", project) == "UPDATE 0"
    async with owner.transaction():
        await owner.execute("ALTER TABLE document NO FORCE ROW LEVEL SECURITY")
        assert await owner.execute("UPDATE document SET title = 't' WHERE project_id = $1", project) == "UPDATE 1"
        await owner.execute("ALTER TABLE document FORCE ROW LEVEL SECURITY")


async def test_the_program_makes_no_index_while_it_runs(runtime: asyncpg.Connection) -> None:
    with pytest.raises(asyncpg.InsufficientPrivilegeError):
        await runtime.execute("CREATE INDEX ON document (title)")
