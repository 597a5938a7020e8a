"""Statements that are their own transaction, on a database in trouble."""

from __future__ import annotations

import asyncio

import asyncpg
import pytest
from pydantic import JsonValue

from partywall.core.db.driver_errors import DatabaseAwayError, reported, violations
from partywall.core.db.scoped_access import ScopedReader
from partywall.core.errors import ConflictError
from partywall.core.resources import Resources
from partywall.core.tenancy import ProjectNotFoundError
from partywall.testing.users import Person, Users

# Only those of this worker's database: other tests run on the same server.
END = (
    "SELECT pg_terminate_backend(pid) FROM pg_stat_activity"
    " WHERE datname = current_database() AND usename = 'partywall_app'"
)


async def start(users: Users) -> tuple[Person, str, dict[str, JsonValue]]:
    person = await users.person()
    url = f"/api/v1/projects/{await person.project()}/documents"
    made = await person.client.post(url, json={"title": "T", "content": "C"})
    return person, url, made.json()


async def test_lost_connections_are_no_internal_error(users: Users) -> None:
    person, url, made = await start(users)
    for _ in range(3):
        await users.execute(END)
        answers = await asyncio.gather(
            person.client.get(f"{url}/{made['id']}"),
            person.client.get(url),
            person.client.post(url, json={"title": "T", "content": "C"}),
        )
        for answer in answers:
            assert answer.status_code in (200, 201, 503), answer.text
            if answer.status_code == 503:
                assert (answer.json()["code"], answer.headers["retry-after"]) == ("unavailable", "1")
    assert (await person.client.get(f"{url}/{made['id']}")).status_code == 200


async def test_the_membership_proof_works_alone(users: Users, resources: Resources) -> None:
    person, outsider = await users.person(), await users.person()
    project = await person.project()
    scope = await ScopedReader(resources.reads, person.principal).scope(project)
    assert (scope.project_id, scope.role) == (project, "owner")
    with pytest.raises(ProjectNotFoundError):
        await ScopedReader(resources.reads, outsider.principal).scope(project)


async def test_a_timeout_is_an_outage_and_a_wrong_statement_is_not(resources: Resources) -> None:
    async with resources.reads.acquire() as connection, connection.transaction():
        await connection.execute("SET LOCAL statement_timeout = 20")
        with pytest.raises(DatabaseAwayError), reported():
            await connection.execute("SELECT pg_sleep(5)")
    with pytest.raises(asyncpg.DataError), reported():
        await resources.reads.fetchval("SELECT $1::integer", "x")
    with pytest.raises(asyncpg.UndefinedTableError), reported():
        await resources.reads.fetchval("SELECT * FROM nowhere")


async def test_an_unmapped_constraint_error_is_passed_on(users: Users) -> None:
    person = await users.person()
    statement = "INSERT INTO account (id, email) VALUES ($1, 'x@example.com')"
    with pytest.raises(ConflictError), violations({"account_pkey": ConflictError}):
        await users.execute(statement, person.id)
    with pytest.raises(asyncpg.UniqueViolationError), violations({"account_email_key": ConflictError}):
        await users.execute(statement, person.id)
