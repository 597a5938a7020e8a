from __future__ import annotations

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

import pytest

from partywall.core.db.scopes import open_scope
from partywall.core.db.session import bind_principal
from partywall.core.errors import MissingRightError
from partywall.core.resources import Resources
from partywall.core.tenancy import ProjectNotFoundError
from partywall.features.accounts.exceptions import AccountGoneError
from partywall.features.projects.schemas import ProjectCreate, ProjectPatch
from partywall.features.projects.service import ProjectDirectoryService, ProjectService
from partywall.testing.users import Person, Users
from tests.features.projects.team import Team


@asynccontextmanager
async def serving(resources: Resources, team: Team, person: Person) -> AsyncIterator[ProjectService]:
    async with resources.sessions.begin() as session:
        scope = await open_scope(session, person.principal, team.project)
        yield ProjectService(session, scope)


async def test_who_was_lowered_while_it_waited_changes_nothing(resources: Resources, team: Team) -> None:
    async with serving(resources, team, team.admin) as projects:
        await team.users.execute("UPDATE project_member SET role = 'viewer' WHERE account_id = $1", team.admin.id)
        with pytest.raises(MissingRightError):
            await projects.update(ProjectPatch(name="Another name"))


async def test_who_was_removed_while_it_waited_finds_no_project(resources: Resources, team: Team) -> None:
    async with serving(resources, team, team.admin) as projects:
        await team.users.execute("DELETE FROM project_member WHERE account_id = $1", team.admin.id)
        with pytest.raises(ProjectNotFoundError):
            await projects.update(ProjectPatch(name="Another name"))


async def test_a_patch_keeps_other_fields_and_an_empty_one_writes_no_event(resources: Resources, team: Team) -> None:
    async with serving(resources, team, team.admin) as projects:
        before = (await projects.update(ProjectPatch())).revision
        described = await projects.update(ProjectPatch(description="What it is for"))
        renamed = await projects.update(ProjectPatch(name="Another name"))
        same = await projects.update(ProjectPatch())
    assert described.project.name != renamed.project.name
    assert (renamed.project.name, renamed.project.description) == ("Another name", "What it is for")
    assert (same.project.name, same.revision) == ("Another name", before + 2)
    event_drafts = await team.users.fetch(
        "SELECT data ->> 'fields' AS fields FROM event WHERE project_id = $1 AND type = 'project.updated' ORDER BY id",
        team.project,
    )
    assert [row["fields"] for row in event_drafts] == ['["description"]', '["name"]']


async def test_a_project_is_deleted_once_and_by_an_owner_alone(resources: Resources, team: Team) -> None:
    async with serving(resources, team, team.admin) as projects:
        with pytest.raises(MissingRightError):
            await projects.delete()
    async with serving(resources, team, team.owner) as projects:
        await projects.delete()
        with pytest.raises(ProjectNotFoundError):
            await projects.delete()


async def test_a_disabled_account_creates_no_project(resources: Resources, users: Users) -> None:
    person = await users.person()
    await users.execute("UPDATE account SET disabled_at = now() WHERE id = $1", person.id)
    async with resources.sessions.begin() as session:
        await bind_principal(session, person.principal)
        with pytest.raises(AccountGoneError):
            await ProjectDirectoryService(session, person.principal).create(ProjectCreate(name="A project"))
