"""The program's role adds to the trail and reads it; nothing else."""

from __future__ import annotations

from uuid import UUID

import pytest
from sqlalchemy import text
from sqlalchemy.exc import ProgrammingError

from partywall.core.audit.trail import AuditEntry, audit, audit_account, audit_address
from partywall.core.db.scopes import open_shared_scope
from partywall.core.db.session import bind_principal
from partywall.core.resources import Resources
from partywall.testing.users import Person, Users

ENTRY = AuditEntry("thing.done", "thing:1", {"how": "well"})


@pytest.fixture
async def person(users: Users) -> Person:
    return await users.person()


@pytest.mark.parametrize("table", ["account_audit", "project_audit"])
@pytest.mark.parametrize("statement", ["UPDATE {} SET action = ''", "DELETE FROM {}", "TRUNCATE {}"])
async def test_nothing_changes_or_removes_an_entry(resources: Resources, table: str, statement: str) -> None:
    with pytest.raises(ProgrammingError, match="permission denied"):
        async with resources.sessions.begin() as session:
            await session.execute(text(statement.format(table)))


async def test_an_entry_is_written_in_the_transaction_of_what_it_records(
    resources: Resources, users: Users, person: Person
) -> None:
    project = await person.project()
    query = "SELECT action, actor, subject, data->>'how' AS how FROM project_audit WHERE project_id = $1"

    async def write(*, fail: bool) -> None:
        async with resources.sessions.begin() as session:
            scope = await open_shared_scope(session, person.principal, project)
            await audit(session, scope, ENTRY)
            if fail:
                raise LookupError

    with pytest.raises(LookupError):
        await write(fail=True)
    assert await users.fetch(query, project) == []
    await write(fail=False)
    [row] = await users.fetch(query, project)
    assert tuple(row) == ("thing.done", str(person.principal), "thing:1", "well")


async def test_nobody_writes_into_the_trail_of_another(resources: Resources, users: Users, person: Person) -> None:
    other = await users.person()
    foreign = await other.project()
    own = await person.project()
    insert = text("INSERT INTO project_audit (project_id, action) VALUES (:project, 'made up')")

    async def to_account() -> None:
        async with resources.sessions.begin() as session:
            await bind_principal(session, person.principal)
            await audit_account(session, other.id, ENTRY)

    async def to_project() -> None:
        async with resources.sessions.begin() as session:
            await open_shared_scope(session, person.principal, own)
            await session.execute(insert, {"project": foreign})

    for write in (to_account, to_project):
        with pytest.raises(ProgrammingError, match="row-level security"):
            await write()


async def test_the_trail_of_an_address_reveals_no_account(resources: Resources, users: Users, person: Person) -> None:
    """Both are written; the entry of an unknown address is rolled back."""
    async with resources.sessions.begin() as session:
        for address in (person.email, "nobody@example.com"):
            await audit_address(session, address, ENTRY)
    rows = await users.fetch("SELECT account_id FROM account_audit WHERE action = 'thing.done'")
    assert [UUID(str(row["account_id"])) for row in rows] == [person.id]
