"""What an API key may do, and for how long."""

from __future__ import annotations

from uuid import UUID, uuid4

import pytest
from httpx2 import AsyncClient

from partywall.core.errors import NotAuthenticatedError
from partywall.core.resources import Resources
from partywall.core.security.api_keys import ApiKeys, new_key
from partywall.settings import Settings
from partywall.testing.users import Person, Users
from tests.features.api_keys.conftest import Key, MakeKey
from tests.features.live.server import serve
from tests.features.live.sse import follow

DOCUMENT = {"title": "Lease", "content": "The tenant pays."}


def documents(project: UUID) -> str:
    return f"/api/v1/projects/{project}/documents"


async def test_a_key_does_what_its_role_may(owner: Person, project: UUID, make_key: MakeKey) -> None:
    viewer, editor = await make_key(owner, project, "viewer"), await make_key(owner, project, "editor")
    made = await editor.client.post(documents(project), json=DOCUMENT)
    assert made.status_code == 201
    assert made.json()["created_by"] == str(editor.id)
    path = made.headers["location"]
    for _ in range(2):  # the fast path answers the second
        assert (await viewer.client.get(path)).json()["content"] == DOCUMENT["content"]
    for refused in (
        await viewer.client.post(documents(project), json=DOCUMENT),
        await viewer.client.patch(path, json={"title": "mine"}),
        await viewer.client.delete(path),
    ):
        assert (refused.status_code, refused.json()["right"]) == (403, "document.write")
    assert (await viewer.client.get(f"/api/v1/projects/{project}/search", params={"q": "tenant"})).status_code == 200


async def test_a_key_knows_its_own_project_alone(users: Users, owner: Person, project: UUID, make_key: MakeKey) -> None:
    second = await owner.project("another of the same owner")
    key = await make_key(owner, project, "admin")
    listed = (await key.client.get("/api/v1/projects", params={"offset": 0})).json()
    assert [(each["id"], each["role"]) for each in listed["items"]] == [(str(project), "admin")]
    assert listed["total"] == 1
    for path in (f"/api/v1/projects/{second}", documents(second)):
        answer = await key.client.get(path)
        assert (answer.status_code, answer.json()["code"]) == (404, "project_not_found")
    outsider = await users.person()
    assert (await key.client.get(documents(await outsider.project()))).status_code == 404


async def test_no_key_decides_who_may_enter(owner: Person, project: UUID, make_key: MakeKey) -> None:
    key = await make_key(owner, project, "admin")
    url = f"/api/v1/projects/{project}"
    for refused in (
        await key.client.post(f"{url}/api-keys", json={"name": "another", "role": "viewer"}),
        await key.client.get(f"{url}/api-keys"),
        await key.client.delete(f"{url}/api-keys/{key.id}"),
        await key.client.delete(url),
    ):
        assert refused.status_code == 403
        assert refused.json()["code"] == "missing_right"
    assert (await key.client.patch(url, json={"name": "renamed"})).status_code == 200


async def test_a_key_is_no_user(owner: Person, project: UUID, make_key: MakeKey) -> None:
    key = await make_key(owner, project, "admin")
    for method, path in (
        ("GET", "/api/v1/users/me"),
        ("PATCH", "/api/v1/users/me"),
        ("GET", "/api/v1/auth/sessions"),
        ("DELETE", f"/api/v1/auth/sessions/{uuid4()}"),
        ("POST", "/api/v1/projects"),
    ):
        answer = await key.client.request(method, path, json={"name": "x"} if method == "POST" else None)
        assert (answer.status_code, answer.json()["code"]) in {(403, "person_required"), (422, "validation_failed")}
    assert (await key.client.get("/api/v1/users/me")).status_code == 403


async def test_what_is_no_key_in_force_is_refused_alike(
    users: Users, anonymous: AsyncClient, owner: Person, project: UUID, make_key: MakeKey
) -> None:
    expired, revoked, good = [await make_key(owner, project) for _ in range(3)]
    await users.execute("UPDATE api_key SET expires_at = now() WHERE id = $1", expired.id)
    await users.execute("UPDATE api_key SET revoked_at = now() WHERE id = $1", revoked.id)
    prefix = good.secret[: len("pw_") + 12]
    presented = [
        expired.secret, revoked.secret, new_key().secret, f"{prefix}_{new_key().secret[-43:]}", "pw_", "pw_x",
        good.secret + "A", good.secret[:-1], good.secret.swapcase(), prefix,
    ]  # fmt: skip
    bodies = set()
    for secret in presented:
        answer = await anonymous.get(documents(project), headers={"Authorization": f"Bearer {secret}"})
        assert answer.status_code == 401, secret
        assert answer.headers["www-authenticate"].startswith('Bearer error="invalid_token"')
        bodies.add(tuple((name, value) for name, value in answer.json().items() if name != "request_id"))
    assert len(bodies) == 1
    assert (await good.client.get(documents(project))).status_code == 200


async def in_use(key: Key, project: UUID) -> None:
    for _ in range(2):
        assert (await key.client.get(documents(project))).status_code == 200


async def test_a_revoked_key_is_refused_with_its_next_request(owner: Person, project: UUID, make_key: MakeKey) -> None:
    key = await make_key(owner, project)
    await in_use(key, project)
    assert (await owner.client.delete(f"/api/v1/projects/{project}/api-keys/{key.id}")).status_code == 204
    assert (await key.client.get(documents(project))).status_code == 401


@pytest.mark.parametrize("ended", ["revoked_at", "expires_at"])
async def test_a_process_that_was_not_told_lets_nothing_through(
    users: Users, resources: Resources, owner: Person, project: UUID, make_key: MakeKey, ended: str
) -> None:
    """Its cache may still contain the key; the database refuses it."""
    key = await make_key(owner, project)
    await in_use(key, project)
    await users.execute(f"UPDATE api_key SET {ended} = now() WHERE id = $1", key.id)  # noqa: S608 - constants
    assert resources.authenticator.cached(key.secret) is not None
    made = await owner.client.post(documents(project), json=DOCUMENT)
    for path in (documents(project), made.headers["location"], f"/api/v1/projects/{project}"):
        assert (await key.client.get(path)).status_code == 404
    assert (await key.client.get("/api/v1/projects")).json()["items"] == []
    with pytest.raises(NotAuthenticatedError):
        await ApiKeys(resources.sessions).verify(key.secret)


async def test_a_key_ends_with_its_project(owner: Person, project: UUID, make_key: MakeKey) -> None:
    key = await make_key(owner, project)
    await in_use(key, project)
    assert (await owner.client.delete(f"/api/v1/projects/{project}")).status_code == 204
    assert (await key.client.get(documents(project))).status_code == 404


async def test_the_last_use_is_noted_to_the_minute(
    users: Users, resources: Resources, owner: Person, project: UUID, make_key: MakeKey
) -> None:
    key = await make_key(owner, project)

    async def last_use() -> str:
        await ApiKeys(resources.sessions).verify(key.secret)
        [listed] = (await owner.client.get(f"/api/v1/projects/{project}/api-keys")).json()["items"]
        return str(listed["last_used_at"])

    first = await last_use()
    assert first.endswith("Z")
    assert await last_use() == first
    await users.execute("UPDATE api_key SET last_used_at = now() - interval '61 s' WHERE id = $1", key.id)
    assert await last_use() > first


async def test_a_key_follows_events_until_it_is_revoked(
    owner: Person, project: UUID, make_key: MakeKey, settings: Settings
) -> None:
    key = await make_key(owner, project)
    async with (
        serve(settings) as server,
        AsyncClient(base_url=server.url, headers=owner.client.headers, timeout=60) as client,
        follow(server.url, project, key.secret, after=0) as stream,
    ):
        assert [each.event for each in await stream.take(2)] == ["project.created", "project.key_created"]
        assert (await client.delete(f"/api/v1/projects/{project}/api-keys/{key.id}")).status_code == 204
        assert [each.event for each in await stream.rest() if each.event != "project.key_revoked"] == []


async def test_a_ticket_of_a_key_is_worth_what_the_key_is(owner: Person, project: UUID, make_key: MakeKey) -> None:
    key = await make_key(owner, project)
    events = f"/api/v1/projects/{project}/events"
    ticket = (await key.client.post(f"{events}/ticket")).json()["ticket"]
    assert (await owner.client.delete(f"/api/v1/projects/{project}/api-keys/{key.id}")).status_code == 204
    del key.client.headers["Authorization"]
    assert (await key.client.get(events, params={"ticket": ticket})).status_code == 404


async def test_a_key_is_never_logged(
    owner: Person, project: UUID, make_key: MakeKey, capfd: pytest.CaptureFixture[str]
) -> None:
    key = await make_key(owner, project)
    await key.client.get(documents(project))
    await key.client.get(documents(project), params={"cursor": key.secret})
    out, err = capfd.readouterr()
    assert key.secret not in out + err
    assert f"key:{key.id}" in out
