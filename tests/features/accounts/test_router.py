from __future__ import annotations

from uuid import uuid4

import pytest
from httpx2 import AsyncClient

from partywall.core.resources import Resources
from partywall.core.tenancy import Principal
from partywall.testing.users import Users
from tests.features.accounts.conftest import ME, SESSIONS, Visitor, bearer, new_address


async def test_every_route_of_ones_own_refuses_the_anonymous(anonymous: AsyncClient) -> None:
    for method, path in [("GET", ME), ("PATCH", ME), ("GET", SESSIONS), ("DELETE", f"{SESSIONS}/{uuid4()}")]:
        answer = await anonymous.request(method, path, json={"full_name": "x"} if method == "PATCH" else None)
        assert (answer.status_code, answer.json()["code"]) == (401, "not_authenticated")
        assert answer.headers["www-authenticate"] == "Bearer"


async def test_everyone_sees_themselves_alone(users: Users) -> None:
    one, other = await users.person(), await users.person()
    await other.client.patch(ME, json={"full_name": "Other"})
    body = (await one.client.get(ME)).json()
    assert body.keys() == {"id", "email", "email_verified", "full_name", "created_at"}
    assert (body["id"], body["email"], body["email_verified"], body["full_name"]) == (
        str(one.id), one.email, True, None
    )  # fmt: skip
    assert body["created_at"].endswith("Z")


async def test_a_patch_merges_and_the_tag_follows(users: Users) -> None:
    person = await users.person()
    before = await person.client.get(ME)
    tag = before.headers["etag"]
    assert (await person.client.get(ME, headers={"If-None-Match": tag})).status_code == 304
    named = await person.client.patch(ME, json={"full_name": "  Ada Lovelace "}, headers={"If-Match": tag})
    assert (named.status_code, named.json()) == (200, before.json() | {"full_name": "Ada Lovelace"})
    late = await person.client.patch(ME, json={"full_name": "Late"}, headers={"If-Match": tag})
    assert (late.status_code, late.json()["code"]) == (412, "precondition_failed")
    same = await person.client.patch(ME, json={})
    assert (same.json(), same.headers["etag"]) == (named.json(), named.headers["etag"])
    assert (await person.client.patch(ME, json={"full_name": None})).json()["full_name"] is None


async def test_the_tag_changes_with_what_is_seen(users: Users) -> None:
    person = await users.person()
    tag = (await person.client.get(ME)).headers["etag"]
    await users.execute("UPDATE account SET email_verified_at = NULL WHERE id = $1", person.id)
    answer = await person.client.get(ME, headers={"If-None-Match": tag})
    assert (answer.status_code, answer.json()["email_verified"]) == (200, False)


@pytest.mark.parametrize(
    ("body", "pointer"),
    [
        ({"email": "other@example.com"}, "/email"),
        ({"id": str(uuid4())}, "/id"),
        ({"email_verified": True}, "/email_verified"),
        ({"full_name": ""}, "/full_name"),
        ({"full_name": "x" * 201}, "/full_name"),
        ({"full_name": ["x"]}, "/full_name"),
        ({"full_name": "a\x00b"}, "/full_name"),
    ],
)
async def test_a_bad_patch_is_refused(users: Users, body: dict[str, object], pointer: str) -> None:
    person = await users.person()
    before = (await person.client.get(ME)).json()
    answer = await person.client.patch(ME, json=body)
    assert answer.status_code == 422
    assert pointer in [each["pointer"] for each in answer.json()["errors"]]
    assert (await person.client.get(ME)).json() == before


async def test_sessions_are_listed_with_the_current_one_marked(member: Visitor) -> None:
    first, second = await member.log_in(), await member.log_in()
    page = (await member.client.get(SESSIONS, headers=bearer(first.access))).json()
    assert (page["next_cursor"], page["total"]) == (None, None)
    assert [item["current"] for item in page["items"]] == [False, True]
    assert page["items"][0].keys() == {"id", "user_agent", "current", "created_at", "last_used_at", "expires_at"}
    mine = (await member.client.get(SESSIONS, headers=bearer(second.access))).json()
    assert [item["current"] for item in mine["items"]] == [True, False]


async def test_the_list_of_sessions_walks_by_cursor(member: Visitor) -> None:
    logins = [await member.log_in() for _ in range(3)]
    headers = bearer(logins[0].access)
    seen: list[str] = []
    params: dict[str, str | int] = {"limit": 2, "sort": "created_at"}
    while True:
        page = (await member.client.get(SESSIONS, params=params, headers=headers)).json()
        seen += [item["id"] for item in page["items"]]
        if page["next_cursor"] is None:
            break
        params["cursor"] = page["next_cursor"]
    assert len(seen) == len(set(seen)) == 3
    counted = (await member.client.get(SESSIONS, params={"offset": 2}, headers=headers)).json()
    assert ([item["id"] for item in counted["items"]], counted["total"]) == ([seen[0]], 3)
    for query in ("cursor=nonsense", "limit=0", "sort=email", "cursor=a&offset=1"):
        assert (await member.client.get(f"{SESSIONS}?{query}", headers=headers)).status_code == 422


async def test_a_session_ends_at_once_and_only_for_its_owner(member: Visitor) -> None:
    first, second = await member.log_in(), await member.log_in()
    outsider = Visitor(member.client, new_address())
    await outsider.register()
    foreign = bearer((await outsider.log_in()).access)
    [there] = [
        item["id"] for item in (await member.client.get(SESSIONS, headers=bearer(second.access))).json()["items"]
        if not item["current"]
    ]  # fmt: skip
    for id_, headers in [(there, foreign), (str(uuid4()), bearer(second.access))]:
        answer = await member.client.delete(f"{SESSIONS}/{id_}", headers=headers)
        assert (answer.status_code, answer.json()["code"]) == (404, "session_not_found")
    assert (await member.me(first.access)).status_code == 200
    assert (await member.client.delete(f"{SESSIONS}/{there}", headers=bearer(second.access))).status_code == 204
    assert (await member.me(first.access)).status_code == 401
    assert (await member.refresh(first.refresh)).status_code == 400
    assert (await member.me(second.access)).status_code == 200
    again = await member.client.delete(f"{SESSIONS}/{there}", headers=bearer(second.access))
    assert again.status_code == 404
    assert (await member.client.delete(f"{SESSIONS}/x", headers=bearer(second.access))).status_code == 422


async def test_the_keys_are_public_and_nothing_else_is(anonymous: AsyncClient, resources: Resources) -> None:
    await resources.access_tokens.issue(uuid4(), uuid4())
    answer = await anonymous.get("/.well-known/jwks.json")
    assert answer.status_code == 200
    assert answer.headers["cache-control"] == "public, max-age=300"
    keys = answer.json()["keys"]
    assert keys
    for key in keys:
        assert key.keys() == {"kty", "crv", "x", "y", "kid", "use", "alg"}
        assert (key["kty"], key["crv"], key["use"], key["alg"]) == ("EC", "P-256", "sig", "ES256")


async def test_the_runtime_role_reads_nobodys_password_and_only_its_principals_rows(
    member: Visitor, resources: Resources
) -> None:
    await member.log_in()
    async with resources.reads.acquire() as connection:
        for table in ("account", "session", "refresh_token"):
            assert await connection.fetchval(f"SELECT count(*) FROM {table}") == 0  # noqa: S608 - the names above
        assert not await connection.fetchval("SELECT has_column_privilege('account', 'password_hash', 'SELECT')")
        for bound in (Principal.user(uuid4()), Principal.service(uuid4())):
            async with connection.transaction():
                await connection.execute("SELECT set_config('partywall.principal', $1, true)", str(bound))
                assert await connection.fetchval("SELECT count(*) FROM session") == 0
