"""A project counts for its creator until another owner accepts it by making a change."""

from __future__ import annotations

import asyncio
from uuid import UUID

import pytest
from httpx2 import Response

from partywall.core.db.scopes import open_shared_scope
from partywall.core.resources import Resources
from partywall.core.security.api_keys import ApiKeys
from partywall.core.tenancy import Principal, Role
from partywall.testing.users import Person, Users
from tests.features.quotas.conftest import Limited, exceeded
from tests.features.quotas.test_limits import own_at_most

DOCUMENT = {"title": "A title", "content": "A text"}


async def given(limited: Limited, users: Users, way: str = "transfer") -> Person:
    """Makes a new user an owner without their consent; returns the user."""
    heir = await users.person()
    await users.join(limited.project, heir, "viewer")
    if way == "transfer":
        answer = await limited.post("/transfer", {"user_id": str(heir.id)})
    else:
        answer = await limited.client.patch(f"{limited.url}/members/{heir.id}", json={"role": "owner"})
    assert (answer.status_code, answer.json()["role"]) == (200, "owner")
    return heir


async def projects_of(person: Person) -> int:
    used: int = (await person.client.get("/api/v1/users/me/usage")).json()["projects"]["used"]
    return used


async def account_of(users: Users, project: UUID) -> UUID:
    [row] = await users.fetch("SELECT wall.owner_account($1) AS account", project)
    return UUID(str(row["account"]))


async def write(person: Person, limited: Limited) -> Response:
    return await person.client.post(f"{limited.url}/documents", json=DOCUMENT)


async def key_of(person: Person, limited: Limited) -> str:
    made = await person.client.post(f"{limited.url}/api-keys", json={"name": "k", "role": "admin"})
    assert made.status_code == 201, made.text
    secret: str = made.json()["secret"]
    return secret


@pytest.mark.parametrize("way", ["transfer", "role"])
async def test_a_transferred_project_counts_for_the_giver_until_accepted(
    limited: Limited, users: Users, resources: Resources, way: str
) -> None:
    """Also when the giver leaves: neither reading nor a change by API key accepts the project."""
    heir = await given(limited, users, way)
    secret = await key_of(limited.owner, limited)
    assert (await limited.client.delete(f"{limited.url}/members/me")).status_code == 204
    for path in ("", "/documents", "/usage", "/search?q=a"):
        assert (await heir.client.get(f"{limited.url}{path}")).status_code == 200
    by_key = {"Authorization": f"Bearer {secret}"}
    assert (await heir.client.post(f"{limited.url}/documents", json=DOCUMENT, headers=by_key)).status_code == 201
    assert (await ApiKeys(resources.sessions).authenticate(secret)).tenant == limited.owner.principal.tenant
    assert await account_of(users, limited.project) == limited.owner.id
    assert (await projects_of(heir), await projects_of(limited.owner)) == (0, 1)
    assert (await write(heir, limited)).status_code == 201
    assert (await projects_of(heir), await projects_of(limited.owner)) == (1, 0)
    assert (await ApiKeys(resources.sessions).authenticate(secret)).tenant == heir.principal.tenant


CHANGES: dict[str, tuple[str, str, dict[str, object]]] = {
    "a document": ("POST", "/documents", dict(DOCUMENT)),
    "a batch": ("POST", "/documents/batch", {"documents": [dict(DOCUMENT)]}),
    "a key": ("POST", "/api-keys", {"name": "k", "role": "viewer"}),
    "an invitation": ("POST", "/invitations", {"email": "somebody@example.com", "role": "viewer"}),
    "a name": ("PATCH", "", {"name": "Mine"}),
    "a budget": ("PUT", "/budget", {"tokens": 5, "tool_calls": None, "seconds": None, "cost": None}),
}


@pytest.mark.parametrize("change", CHANGES)
async def test_an_owner_without_quota_cannot_change_the_project(limited: Limited, users: Users, change: str) -> None:
    method, path, body = CHANGES[change]
    heir = await given(limited, users)
    await heir.project()
    await own_at_most(users, heir, 1)
    url = f"{limited.url}{path}"
    refused = await heir.client.request(method, url, json=body)
    assert exceeded(refused) == (403, "projects", 1, 1)
    assert refused.json()["detail"].endswith("From this change on the project would count for you.")
    keyed = await heir.client.request(method, url, json=body, headers={"Idempotency-Key": "once"})
    assert exceeded(keyed)[:2] == (403, "projects")
    assert await account_of(users, limited.project) == limited.owner.id
    await own_at_most_by_now(users, heir, 2)
    assert (await heir.client.request(method, url, json=body)).is_success
    assert await account_of(users, limited.project) == heir.id


async def own_at_most_by_now(users: Users, person: Person, projects: int) -> None:
    await users.execute("UPDATE account_quota SET most = $2 WHERE account_id = $1", person.id, projects)


@pytest.mark.parametrize("way", ["delete", "transfer back", "remove the giver"])
async def test_an_owner_without_quota_can_give_the_project_up(limited: Limited, users: Users, way: str) -> None:
    heir = await given(limited, users)
    await own_at_most(users, heir, 0)
    giver = str(limited.owner.id)
    if way == "delete":
        answer = await heir.client.delete(limited.url)
    elif way == "transfer back":
        answer = await heir.client.post(f"{limited.url}/transfer", json={"user_id": giver})
    else:
        answer = await heir.client.delete(f"{limited.url}/members/{giver}")
    assert answer.is_success, answer.text
    assert await projects_of(heir) == 0
    assert await projects_of(limited.owner) == (0 if way == "delete" else 1)


async def test_a_project_keeps_counting_for_one_of_several_owners(limited: Limited, users: Users) -> None:
    other = await users.person()
    await users.join(limited.project, other, "owner")
    assert (await write(other, limited)).status_code == 201
    assert await account_of(users, limited.project) == limited.owner.id
    assert (await limited.client.patch(f"{limited.url}/members/me", json={"role": "viewer"})).status_code == 200
    assert await account_of(users, limited.project) == limited.owner.id
    raised = await other.client.patch(f"{limited.url}/members/{limited.owner.id}", json={"role": "owner"})
    assert raised.status_code == 200
    assert (await write(other, limited)).status_code == 201
    assert await account_of(users, limited.project) == limited.owner.id


async def test_an_owner_takes_over_from_a_disabled_account(limited: Limited, users: Users) -> None:
    other = await users.person()
    await users.join(limited.project, other, "owner")
    disable = "UPDATE account SET disabled_at = CASE WHEN $2 THEN now() END WHERE id = $1"
    await users.execute(disable, limited.owner.id, True)
    assert await account_of(users, limited.project) == limited.owner.id
    await users.execute(disable, limited.owner.id, False)
    assert (await write(other, limited)).status_code == 201
    assert await account_of(users, limited.project) == limited.owner.id
    await users.execute(disable, limited.owner.id, True)
    assert (await write(other, limited)).status_code == 201
    assert await account_of(users, limited.project) == other.id


async def test_a_job_of_the_new_owner_accepts_nothing(limited: Limited, users: Users, resources: Resources) -> None:
    """Such a job may have started before the user was made an owner."""
    heir = await given(limited, users)
    async with resources.sessions.begin() as session:
        assert (await open_shared_scope(session, Principal.user(heir.id), limited.project)).role is Role.OWNER
    assert await account_of(users, limited.project) == limited.owner.id


async def test_many_first_changes_at_once_pass_no_quota(limited: Limited, users: Users) -> None:
    """The check does not block: a change that meets another is not checked; the next change is."""
    heir = await given(limited, users)
    second = Limited(users, await limited.owner.project(), limited.owner)
    await users.join(second.project, heir, "viewer")
    assert (await second.post("/transfer", {"user_id": str(heir.id)})).status_code == 200
    await own_at_most(users, heir, 1)
    both = [limited, second]
    await asyncio.gather(*(write(heir, each) for each in both * 6))
    assert await projects_of(heir) <= 1
    answers = [(await write(heir, each)).status_code for each in both]
    assert sorted(answers) == [201, 403]
    assert (await projects_of(heir), await projects_of(limited.owner)) == (1, 1)
