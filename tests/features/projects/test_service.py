from __future__ import annotations

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

import pytest

from partywall.core.db.session import bind_principal
from partywall.core.errors import MissingRightError
from partywall.core.resources import Resources
from partywall.core.tenancy import ProjectNotFoundError, enter_project
from partywall.features.accounts.exceptions import AccountGoneError
from partywall.features.projects.rights import Right
from partywall.features.projects.schemas import ProjectPatch
from partywall.features.projects.service import ProjectDirectoryService, ProjectService
from tests.features.projects.house import House
from tests.people import People, Person


@asynccontextmanager
async def serving(resources: Resources, house: House, person: Person) -> AsyncIterator[ProjectService]:
    async with resources.sessions.begin() as session:
        scope = await enter_project(session, person.principal, house.project)
        yield ProjectService(session, scope, resources.announcer)


async def test_who_was_lowered_while_it_waited_changes_nothing(resources: Resources, house: House) -> None:
    async with serving(resources, house, house.admin) as projects:
        await house.people.execute("UPDATE project_member SET role = 'viewer' WHERE account_id = $1", house.admin.id)
        with pytest.raises(MissingRightError):
            await projects.revision(Right.PROJECT_UPDATE)


async def test_who_was_removed_while_it_waited_finds_no_project(resources: Resources, house: House) -> None:
    async with serving(resources, house, house.admin) as projects:
        await house.people.execute("DELETE FROM project_member WHERE account_id = $1", house.admin.id)
        with pytest.raises(ProjectNotFoundError):
            await projects.revision(Right.PROJECT_UPDATE)


async def test_what_a_patch_leaves_out_stays_and_an_empty_one_is_no_news(resources: Resources, house: House) -> None:
    async with serving(resources, house, house.admin) as projects:
        before = await projects.revision(Right.PROJECT_UPDATE)
        described = await projects.change(ProjectPatch(description="What it is for"))
        renamed = await projects.change(ProjectPatch(name="Another name"))
        same = await projects.change(ProjectPatch())
    assert described.project.name != renamed.project.name
    assert (renamed.project.name, renamed.project.description) == ("Another name", "What it is for")
    assert (same.project.name, same.revision) == ("Another name", before + 2)
    news = await house.people.fetch(
        "SELECT data ->> 'fields' AS fields FROM event WHERE project_id = $1 AND type = 'project.updated' ORDER BY id",
        house.project,
    )
    assert [row["fields"] for row in news] == ['["description"]', '["name"]']


async def test_a_project_is_deleted_once_and_by_an_owner_alone(resources: Resources, house: House) -> None:
    async with serving(resources, house, house.admin) as projects:
        with pytest.raises(MissingRightError):
            await projects.delete()
    async with serving(resources, house, house.owner) as projects:
        await projects.revision(Right.PROJECT_DELETE)
        await projects.delete()
        with pytest.raises(ProjectNotFoundError):
            await projects.delete()


async def test_an_account_that_is_gone_founds_no_project(resources: Resources, people: People) -> None:
    person = await people.person()
    await people.execute("UPDATE account SET disabled_at = now() WHERE id = $1", person.id)
    async with resources.sessions.begin() as session:
        await bind_principal(session, person.principal)
        with pytest.raises(AccountGoneError):
            await ProjectDirectoryService(session, person.principal, resources.announcer).create("A project", None)
