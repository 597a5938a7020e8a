from __future__ import annotations

import json
from uuid import UUID

import pytest
from httpx2 import AsyncClient

from partywall.core.resources import Resources
from partywall.features.audit import retention
from partywall.testing.users import Person, Users

OWN = "/api/v1/users/me/audit"


def url(project: UUID) -> str:
    return f"/api/v1/projects/{project}/audit"


@pytest.fixture
async def owner(users: Users) -> Person:
    return await users.person()


@pytest.fixture
async def project(owner: Person) -> UUID:
    """A project with two keys, the first of which was revoked."""
    made = await owner.project()
    keys = f"/api/v1/projects/{made}/api-keys"
    answers = [await owner.client.post(keys, json={"name": "Import", "role": "editor"}) for _ in range(2)]
    assert (await owner.client.delete(f"{keys}/{answers[0].json()['id']}")).status_code == 204
    return made


async def add(users: Users, person: Person, action: str, age: str = "0") -> None:
    await users.execute(
        "INSERT INTO account_audit (account_id, action, created_at) VALUES ($1, $2, now() - $3::text::interval)",
        person.id, action, age,
    )  # fmt: skip


async def test_the_anonymous_are_refused(anonymous: AsyncClient, project: UUID) -> None:
    for path in (OWN, f"{OWN}/export", url(project), f"{url(project)}/export"):
        assert (await anonymous.get(path)).status_code == 401


async def test_others_see_nothing(users: Users, owner: Person, project: UUID) -> None:
    other = await users.person()
    await add(users, owner, "login.failed")
    assert (await other.client.get(OWN)).json()["items"] == []
    assert (await other.client.get(f"{OWN}/export")).content == b""
    for path in (url(project), f"{url(project)}/export"):
        answer = await other.client.get(path)
        assert (answer.status_code, answer.json()["code"]) == (404, "project_not_found")
    assert (await other.client.get(url(await other.project()))).json()["items"] == []


async def test_only_owners_read_the_trail_of_a_project(users: Users, owner: Person, project: UUID) -> None:
    admin = await users.person()
    await users.join(project, admin, "admin")
    made = await owner.client.post(f"/api/v1/projects/{project}/api-keys", json={"name": "Key", "role": "admin"})
    key = {"Authorization": f"Bearer {made.json()['secret']}"}
    for path in (url(project), f"{url(project)}/export"):
        assert (await owner.client.get(path)).status_code == 200
        assert (await admin.client.get(path)).json()["right"] == "audit.read"
        assert (await admin.client.get(path, headers=key)).status_code == 403
    assert (await admin.client.get(OWN, headers=key)).json()["code"] == "person_required"


async def test_an_entry_says_who_did_what_from_where_in_which_request(owner: Person, project: UUID) -> None:
    revoked, *created = (await owner.client.get(url(project))).json()["items"]
    assert [each["action"] for each in (revoked, *created)] == ["project.key_revoked", *["project.key_created"] * 2]
    assert [each["data"] for each in created] == [{"role": "editor"}] * 2
    assert (revoked["actor"], revoked["client"]) == (str(owner.principal), "127.0.0.0/24")
    assert revoked["subject"] == created[1]["subject"]
    assert len({each["request_id"] for each in (revoked, *created)}) == 3


async def test_pages_and_export_show_the_same(owner: Person, project: UUID) -> None:
    first = (await owner.client.get(url(project), params={"limit": 2})).json()
    cursor = first["next_cursor"]
    second = (await owner.client.get(url(project), params={"limit": 2, "cursor": cursor})).json()
    assert (len(first["items"]), len(second["items"]), second["next_cursor"]) == (2, 1, None)
    exported = await owner.client.get(f"{url(project)}/export")
    assert exported.headers["content-type"] == "text/jsonl; charset=utf-8"
    newest_first = [json.loads(line) for line in reversed(exported.text.splitlines())]
    assert newest_first == [*first["items"], *second["items"]]
    foreign = await owner.client.get(url(await owner.project()), params={"cursor": cursor})
    assert foreign.status_code == 422


async def test_what_is_older_than_the_setting_is_deleted(users: Users, owner: Person, resources: Resources) -> None:
    await add(users, owner, "login.failed", "366 days")
    await add(users, owner, "login.succeeded", "364 days")
    await retention.prune_audit(resources)
    assert [each["action"] for each in (await owner.client.get(OWN)).json()["items"]] == ["login.succeeded"]
