from __future__ import annotations

import asyncio

import pytest
from httpx2 import AsyncClient, Response

from partywall.testing.users import Person, Users
from tests.features.identities.conftest import IDENTITIES, Browser, Opened, browser_of, github_settings, new_address
from tests.features.identities.github_server import GitHubServer, GitHubUser

BODY = {"code": "unknown", "code_verifier": "a" * 43}


def bearer(token: str) -> dict[str, str]:
    return {"Authorization": f"Bearer {token}"}


async def link(browser: Browser, token: str, **headers: str) -> Response:
    body = {"code": await browser.code(), "code_verifier": browser.verifier}
    return await browser.client.post(IDENTITIES, json=body, headers={**bearer(token), **headers})


async def listed(browser: Browser, token: str) -> list[dict[str, str | None]]:
    answer = await browser.client.get(IDENTITIES, headers=bearer(token))
    assert answer.status_code == 200, answer.text
    return list(answer.json()["items"])


async def remove(browser: Browser, token: str, identity: str) -> Response:
    return await browser.client.delete(f"{IDENTITIES}/{identity}", headers=bearer(token))


async def with_password(users: Users, person: Person) -> None:
    await users.execute("UPDATE account SET password_hash = 'any' WHERE id = $1", person.id)


@pytest.mark.parametrize(
    ("method", "path"), [("GET", ""), ("POST", ""), ("DELETE", f"/{'0' * 8}-{'0000-' * 3}{'0' * 12}")]
)
async def test_anonymous_callers_get_401(anonymous: AsyncClient, method: str, path: str) -> None:
    body = BODY if method == "POST" else None
    assert (await anonymous.request(method, IDENTITIES + path, json=body)).status_code == 401


async def test_another_account_sees_and_removes_nothing(browser: Browser, users: Users) -> None:
    token = await browser.token()
    [own] = await listed(browser, token)
    other = await users.person()
    assert await listed(browser, other.token) == []
    refused = await remove(browser, other.token, str(own["id"]))
    assert (refused.status_code, refused.json()["code"]) == (404, "identity_not_found")
    assert await listed(browser, token) == [own]


async def test_an_identity_is_linked_from_a_session(browser: Browser, github: GitHubServer, users: Users) -> None:
    person = await users.person()
    github.user = GitHubUser(new_address(), verified=False)
    made = await link(browser, person.token)
    assert made.status_code == 201, made.text
    [own] = await listed(browser, person.token)
    assert made.json() == own
    assert (own["provider"], own["subject"], own["address"]) == ("github", str(github.user.id), None)
    assert made.headers["location"] == f"{IDENTITIES}/{own['id']}"
    assert (await browser.me(await browser.token()))["id"] == str(person.id)
    assert (await link(browser, person.token)).json() == (await listed(browser, person.token))[0]


async def test_an_idempotency_key_repeats_the_answer(browser: Browser, users: Users) -> None:
    person = await users.person()
    body = {"code": await browser.code(), "code_verifier": browser.verifier}
    headers = {**bearer(person.token), "Idempotency-Key": "one"}
    answers = [await browser.client.post(IDENTITIES, json=body, headers=headers) for _ in range(2)]
    assert [each.status_code for each in answers] == [201, 201]
    assert answers[0].json() == answers[1].json()


async def test_an_invalid_code_links_nothing(browser: Browser, users: Users) -> None:
    person = await users.person()
    refused = await browser.client.post(IDENTITIES, json=BODY, headers=bearer(person.token))
    assert (refused.status_code, refused.json()["code"]) == (400, "invalid_grant")


async def test_a_project_key_has_no_identities(browser: Browser, users: Users) -> None:
    owner = await users.person()
    project = await owner.project()
    made = await owner.client.post(f"/api/v1/projects/{project}/api-keys", json={"name": "k", "role": "editor"})
    key = made.json()["secret"]
    assert (await browser.client.get(IDENTITIES, headers=bearer(key))).status_code == 403
    assert (await link(browser, key)).status_code == 403


async def test_an_identity_of_another_account_is_not_taken_over(browser: Browser, users: Users) -> None:
    token = await browser.token()
    other = await users.person()
    refused = await link(browser, other.token)
    assert (refused.status_code, refused.json()["code"]) == (409, "identity_taken")
    assert len(await listed(browser, token)) == 1


async def test_an_unconfirmed_account_links_nothing(browser: Browser, users: Users) -> None:
    """Its address may belong to somebody else, who would get an account with a second owner."""
    person = await users.person()
    await users.execute("UPDATE account SET email_verified_at = NULL WHERE id = $1", person.id)
    refused = await link(browser, person.token)
    assert (refused.status_code, refused.json()["code"]) == (409, "address_unconfirmed")


async def test_a_revoked_session_links_nothing(browser: Browser, users: Users) -> None:
    """Although its access token is still in the cache."""
    token = (await browser.log_in()).json()["access_token"]
    await listed(browser, token)
    await users.execute("UPDATE session SET revoked_at = now() WHERE account_id = $1", (await browser.me(token))["id"])
    assert (await link(browser, token)).status_code == 401


async def test_an_account_has_a_limited_number_of_identities(
    browser: Browser, users: Users, github: GitHubServer
) -> None:
    person = await users.person()
    await users.execute(
        "INSERT INTO identity (id, account_id, issuer, subject, provider)"
        " SELECT uuidv7(), $1, 'an issuer', $2 || n::text, 'github' FROM generate_series(1, 20) AS n",
        person.id, str(person.id),
    )  # fmt: skip
    refused = await link(browser, person.token)
    assert (refused.status_code, refused.json()["code"]) == (409, "too_many_identities")


async def test_the_last_way_to_log_in_stays(browser: Browser, github: GitHubServer, users: Users) -> None:
    token = await browser.token()
    [only] = await listed(browser, token)
    refused = await remove(browser, token, str(only["id"]))
    assert (refused.status_code, refused.json()["code"]) == (409, "last_way_to_log_in")
    github.user = GitHubUser(new_address())
    second = (await link(browser, token)).json()
    assert (await remove(browser, token, str(only["id"]))).status_code == 204
    assert (await remove(browser, token, str(second["id"]))).status_code == 409


async def test_with_a_password_every_identity_can_be_removed(browser: Browser, users: Users) -> None:
    person = await users.person()
    await with_password(users, person)
    linked = (await link(browser, person.token)).json()
    assert (await remove(browser, person.token, linked["id"])).status_code == 204
    assert await listed(browser, person.token) == []


async def test_an_identity_of_a_provider_that_is_gone_does_not_count(browser: Browser, users: Users) -> None:
    token = await browser.token()
    [only] = await listed(browser, token)
    await users.execute(
        "INSERT INTO identity (id, account_id, issuer, subject, provider)"
        " SELECT uuidv7(), account_id, 'former issuer', subject, 'former' FROM identity WHERE id::text = $1",
        only["id"],
    )
    assert (await remove(browser, token, str(only["id"]))).status_code == 409


async def test_of_two_removals_at_once_one_stays(
    opened: Opened, browser: Browser, github: GitHubServer, users: Users
) -> None:
    token = await browser.token()
    github.user = GitHubUser(new_address())
    await link(browser, token)
    both = [str(each["id"]) for each in await listed(browser, token)]
    answers = await asyncio.gather(*(remove(browser, token, each) for each in both))
    assert sorted(each.status_code for each in answers) == [204, 409]


async def test_of_two_first_logins_at_once_both_enter_one_account(opened: Opened, github: GitHubServer) -> None:
    async with opened(github_settings(github)) as app, browser_of(app) as client:
        browser = Browser(client)
        codes = [await browser.code(), await browser.code()]
        answers = await asyncio.gather(*(browser.redeem(code) for code in codes))
        ids = {(await browser.me(each.json()["access_token"]))["id"] for each in answers}
    assert len(ids) == 1
