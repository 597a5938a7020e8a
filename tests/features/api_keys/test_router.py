"""Creating, listing and revoking API keys. test_scope.py covers what a key may do."""

from __future__ import annotations

from datetime import timedelta
from uuid import UUID, uuid4

import pytest
from httpx2 import AsyncClient

from partywall.core.clock import utc_now
from partywall.core.resources import Resources
from partywall.features.api_keys.feature import feature
from partywall.settings import Settings
from partywall.testing.users import Person, Users
from tests.features.api_keys.conftest import MakeKey

WANTED = {"name": "Nightly import", "role": "editor"}


def url(project: UUID, key: object = "") -> str:
    return f"/api/v1/projects/{project}/api-keys" + (f"/{key}" if key else "")


async def test_the_anonymous_are_refused(anonymous: AsyncClient, project: UUID) -> None:
    for method, path in (("POST", url(project)), ("GET", url(project)), ("DELETE", url(project, uuid4()))):
        answer = await anonymous.request(method, path, json=WANTED if method == "POST" else None)
        assert answer.status_code == 401


async def test_another_project_sees_nothing(users: Users, owner: Person, project: UUID, make_key: MakeKey) -> None:
    made = await make_key(owner, project)
    other = await users.person()
    own = await other.project()
    for method, path in (("POST", url(project)), ("GET", url(project)), ("DELETE", url(project, made.id))):
        answer = await other.client.request(method, path, json=WANTED if method == "POST" else None)
        assert (answer.status_code, answer.json()["code"]) == (404, "project_not_found")
    assert (await other.client.get(url(own))).json()["items"] == []
    answer = await other.client.delete(url(own, made.id))
    assert (answer.status_code, answer.json()["code"]) == (404, "api_key_not_found")
    assert (await made.client.get(f"/api/v1/projects/{project}")).status_code == 200


async def test_the_secret_is_shown_once_and_stored_nowhere(users: Users, owner: Person, project: UUID) -> None:
    made = await owner.client.post(url(project), json=WANTED)
    assert made.status_code == 201
    assert made.headers["cache-control"] == "no-store"
    body = made.json()
    secret = body.pop("secret")
    assert secret.startswith(body["prefix"] + "_")
    assert len(body["prefix"]) == len("pw_") + 12
    assert (body["name"], body["role"], body["expires_at"], body["last_used_at"]) == (
        "Nightly import", "editor", None, None,
    )  # fmt: skip
    [listed] = (await owner.client.get(url(project))).json()["items"]
    assert listed == body
    for table in ("api_key", "idempotency_key", "event", "job"):
        rows = await users.fetch(f"SELECT t::text AS row FROM {table} AS t")  # noqa: S608 - constants
        assert all(secret.removeprefix(body["prefix"] + "_") not in row["row"] for row in rows)


async def test_a_replay_comes_without_the_secret(users: Users, owner: Person, project: UUID) -> None:
    headers = {"Idempotency-Key": uuid4().hex}
    first = await owner.client.post(url(project), json=WANTED, headers=headers)
    again = await owner.client.post(url(project), json=WANTED, headers=headers)
    assert (first.status_code, again.status_code) == (201, 201)
    assert again.headers["idempotent-replayed"] == "true"
    secret = first.json()["secret"]
    assert again.json() == {name: value for name, value in first.json().items() if name != "secret"}
    [stored] = await users.fetch("SELECT body FROM idempotency_key WHERE project_id = $1", project)
    assert secret.encode() not in stored["body"]
    assert len((await owner.client.get(url(project))).json()["items"]) == 1


async def test_only_who_may_manage_keys_does(users: Users, owner: Person, project: UUID, make_key: MakeKey) -> None:
    made = await make_key(owner, project)
    for role, allowed in (("viewer", False), ("editor", False), ("admin", True)):
        member = await users.person()
        await users.join(project, member, role)
        answers = [
            await member.client.post(url(project), json=WANTED),
            await member.client.get(url(project)),
            await member.client.delete(url(project, made.id)),
        ]
        assert [each.is_success for each in answers] == [allowed] * 3, role
        if not allowed:
            assert [(each.status_code, each.json()["right"]) for each in answers] == [(403, "key.manage")] * 3


@pytest.mark.parametrize(
    ("change", "pointer"),
    [
        ({"name": " "}, "/name"),
        ({"role": "owner"}, "/role"),
        ({"role": "service"}, "/role"),
        ({"expires_at": "2020-01-01T00:00:00Z"}, "/expires_at"),
        ({"expires_at": "2999-01-01T00:00:00"}, "/expires_at"),
        ({"expires_at": "9999-12-31T23:59:59-12:00"}, "/expires_at"),
        # Unix time, and formats outside RFC 3339.
        ({"expires_at": 4_000_000_000}, "/expires_at"),
        ({"expires_at": 4_000_000_000.5}, "/expires_at"),
        ({"expires_at": "4000000000"}, "/expires_at"),
        ({"expires_at": True}, "/expires_at"),
        ({"expires_at": "2999-01-01"}, "/expires_at"),
        ({"expires_at": "2999-01-01T00:00Z"}, "/expires_at"),
        ({"expires_at": "2999-01-01T00:00:00+0100"}, "/expires_at"),
        ({"secret": "pw_mine"}, "/secret"),
    ],
)
async def test_a_bad_body_is_refused(owner: Person, project: UUID, change: dict[str, object], pointer: str) -> None:
    answer = await owner.client.post(url(project), json=WANTED | change)
    assert answer.status_code == 422
    assert answer.json()["errors"][0]["pointer"] == pointer
    assert (await owner.client.get(url(project))).json()["items"] == []


@pytest.mark.parametrize(
    "written", ["2999-01-01T02:00:00.000000+02:00", "2999-01-01T00:00:00Z", "2998-12-31 23:00:00.0-01:00"]
)
async def test_an_instant_is_read_in_every_form_of_rfc_3339(owner: Person, project: UUID, written: str) -> None:
    made = await owner.client.post(url(project), json=WANTED | {"expires_at": written})
    assert made.json()["expires_at"] == "2999-01-01T00:00:00.000000Z"


async def test_a_key_is_good_until_the_end_of_the_calendar(owner: Person, project: UUID) -> None:
    made = await owner.client.post(url(project), json=WANTED | {"expires_at": "9999-12-31T23:59:59.999999Z"})
    assert (made.status_code, made.json()["expires_at"]) == (201, "9999-12-31T23:59:59.999000Z")
    [listed] = (await owner.client.get(url(project))).json()["items"]
    assert listed["expires_at"] == made.json()["expires_at"]
    key = {"Authorization": f"Bearer {made.json()['secret']}"}
    assert (await owner.client.get(f"/api/v1/projects/{project}", headers=key)).status_code == 200


async def test_keys_are_listed_in_pages(owner: Person, project: UUID, make_key: MakeKey) -> None:
    made = [str((await make_key(owner, project)).id) for _ in range(3)]
    first = (await owner.client.get(url(project), params={"limit": 2, "sort": "created_at"})).json()
    rest = await owner.client.get(
        url(project), params={"limit": 2, "sort": "created_at", "cursor": first["next_cursor"]}
    )
    assert [each["id"] for each in first["items"] + rest.json()["items"]] == made
    assert rest.json()["next_cursor"] is None
    counted = (await owner.client.get(url(project), params={"offset": 1})).json()
    assert (counted["total"], len(counted["items"])) == (3, 2)
    crossed = await owner.client.get(url(await owner.project()), params={"cursor": first["next_cursor"]})
    assert crossed.status_code == 422


async def test_a_project_has_only_so_many_keys(
    users: Users, owner: Person, project: UUID, make_key: MakeKey, settings: Settings
) -> None:
    one = await make_key(owner, project)
    await users.execute(
        "INSERT INTO api_key (project_id, name, prefix, secret_hash, role, created_by)"
        " SELECT $1, 'n', gen_random_uuid(), ''::bytea, 'viewer', 'user:x' FROM generate_series(2, $2)",
        project, settings.quotas.keys,
    )  # fmt: skip
    refused = await owner.client.post(url(project), json=WANTED)
    assert (refused.status_code, refused.json()["code"]) == (403, "quota_exceeded")
    assert (await owner.client.delete(url(project, one.id))).status_code == 204
    assert (await owner.client.post(url(project), json=WANTED)).status_code == 201


async def test_events_of_creating_and_revoking_omit_the_secret(users: Users, owner: Person, project: UUID) -> None:
    expires_at = (utc_now() + timedelta(days=1)).isoformat()
    made = (await owner.client.post(url(project), json=WANTED | {"expires_at": expires_at})).json()
    assert made["expires_at"].endswith("Z")
    assert (await owner.client.delete(url(project, made["id"]))).status_code == 204
    assert (await owner.client.delete(url(project, made["id"]))).status_code == 404
    rows = await users.fetch("SELECT type, subject_id, data FROM event WHERE project_id = $1 ORDER BY id", project)
    assert [row["type"] for row in rows][1:] == ["project.key_created", "project.key_revoked"]
    assert {row["subject_id"] for row in rows[1:]} == {made["id"]}


async def test_keys_that_are_over_are_forgotten_in_time(
    users: Users, resources: Resources, owner: Person, project: UUID, make_key: MakeKey
) -> None:
    keys = [await make_key(owner, project) for _ in range(5)]
    for key, sql in zip(
        keys,
        (
            "revoked_at = now() - interval '91 d'", "revoked_at = now() - interval '89 d'",
            "expires_at = now() - interval '91 d'", "expires_at = now() - interval '89 d'", "last_used_at = NULL",
        ),
        strict=True,
    ):  # fmt: skip
        await users.execute(f"UPDATE api_key SET {sql} WHERE id = $1", key.id)  # noqa: S608 - constants
    [schedule] = feature.schedules
    await schedule.run(resources)
    rows = await users.fetch("SELECT id FROM api_key WHERE project_id = $1", project)
    assert {row["id"] for row in rows} == {keys[1].id, keys[3].id, keys[4].id}


async def test_an_expired_key_does_not_count_towards_the_limit(
    users: Users, owner: Person, project: UUID, make_key: MakeKey, settings: Settings
) -> None:
    await users.execute(
        "INSERT INTO api_key (project_id, name, prefix, secret_hash, role, created_by, expires_at)"
        " SELECT $1, 'n', gen_random_uuid(), ''::bytea, 'viewer', 'user:x', now() FROM generate_series(1, $2)",
        project, settings.quotas.keys,
    )  # fmt: skip
    assert (await make_key(owner, project)).secret
