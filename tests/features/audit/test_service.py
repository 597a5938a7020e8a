from __future__ import annotations

import json
from uuid import UUID

import pytest

from partywall.core.db.scopes import open_scope
from partywall.core.errors import MissingRightError
from partywall.core.resources import Resources
from partywall.features.audit import service
from partywall.features.audit.service import AuditExport
from partywall.testing.users import Person, Users


@pytest.fixture
async def owner(users: Users) -> Person:
    return await users.person()


@pytest.fixture
async def project(users: Users, owner: Person, monkeypatch: pytest.MonkeyPatch) -> UUID:
    """With more entries than an export reads at once, all of the same moment."""
    monkeypatch.setattr(service, "EXPORTED_AT_ONCE", 2)
    made = await owner.project()
    await users.execute(
        "INSERT INTO project_audit (project_id, action) SELECT $1, 'n' FROM generate_series(1, 5)", made
    )
    return made


async def test_an_export_has_every_entry_once(resources: Resources, owner: Person, project: UUID) -> None:
    async with resources.sessions.read() as session:
        scope = await open_scope(session, owner.principal, project)
        lines = await AuditExport(resources.sessions, owner.principal).of_project(session, scope)
    parts = [part async for part in lines]
    assert [part.count(b"\n") for part in parts] == [2, 2, 1]
    ids = [json.loads(line)["id"] for part in parts for line in part.splitlines()]
    assert ids == sorted(set(ids))
    assert len(ids) == 5


async def test_an_export_ends_when_the_right_is_lost(
    resources: Resources, users: Users, owner: Person, project: UUID
) -> None:
    async with resources.sessions.read() as session:
        scope = await open_scope(session, owner.principal, project)
        lines = await AuditExport(resources.sessions, owner.principal).of_project(session, scope)
    await anext(lines)
    await users.join(project, await users.person(), "owner")
    demoted = "UPDATE project_member SET role = 'admin' WHERE project_id = $1 AND account_id = $2"
    await users.execute(demoted, project, owner.id)
    with pytest.raises(MissingRightError):
        await anext(lines)
