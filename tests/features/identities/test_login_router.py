from __future__ import annotations

import pytest
from httpx2 import AsyncClient
from starlette.responses import Response

from partywall.core.clock import utc_now
from partywall.core.resources import Resources
from partywall.testing.users import Users
from tests.features.identities.conftest import (
    OAUTH,
    RETURN_TO,
    Browser,
    Opened,
    browser_of,
    github_settings,
    new_address,
    query_of,
)
from tests.features.identities.github_server import GitHubServer, GitHubUser

UNKNOWN = "a" * 43


async def test_providers_are_listed_with_their_titles(browser: Browser, anonymous: AsyncClient) -> None:
    assert (await browser.client.get(OAUTH)).json() == {"items": [{"name": "github", "title": "GitHub"}]}
    assert (await anonymous.get(OAUTH)).json() == {"items": []}


async def test_a_login_at_github_makes_an_account(browser: Browser, github: GitHubServer) -> None:
    answer = await browser.log_in()
    assert (answer.status_code, answer.headers["cache-control"]) == (200, "no-store")
    me = await browser.me(answer.json()["access_token"])
    assert (me["email"], me["email_verified"], me["full_name"]) == (github.user.email, True, "Ada")
    github.user.email = new_address()  # the subject counts, not the address
    assert (await browser.me(await browser.token()))["id"] == me["id"]


async def test_the_refresh_token_works(browser: Browser) -> None:
    refresh = (await browser.log_in()).json()["refresh_token"]
    form = {"grant_type": "refresh_token", "refresh_token": refresh}
    assert (await browser.client.post("/api/v1/auth/token", data=form)).status_code == 200


async def test_no_address_contains_a_token(browser: Browser) -> None:
    ended = await browser.client.get(await browser.answer())
    told = query_of(ended.headers["location"])
    assert told.keys() == {"page", "code", "state"}
    assert told["state"] == "of the app"
    assert (ended.headers["referrer-policy"], ended.headers["cache-control"]) == ("no-referrer", "no-store")


async def test_an_unknown_provider_is_404(browser: Browser) -> None:
    for path in ("authorize", "callback"):
        query = {"return_to": RETURN_TO, "code_challenge": UNKNOWN}
        answer = await browser.client.get(f"{OAUTH}/other/{path}", params=query)
        assert (answer.status_code, answer.json()["code"]) == (404, "identity_provider_not_found")


@pytest.mark.parametrize(
    "address", ["https://evil.example/", RETURN_TO + "&more=1", RETURN_TO.upper(), "https://app.example.com/signed-in"]
)
async def test_a_login_returns_only_to_listed_addresses(browser: Browser, address: str) -> None:
    refused = await browser.begin(return_to=address)
    assert (refused.status_code, refused.json()["code"]) == (400, "return_address_not_allowed")


@pytest.mark.parametrize("challenge", ["", "short", UNKNOWN + "=", UNKNOWN + "\n"])
async def test_a_login_begins_only_with_a_challenge(browser: Browser, challenge: str) -> None:
    assert (await browser.begin(code_challenge=challenge)).status_code == 422


async def test_another_browser_cannot_end_a_login(browser: Browser) -> None:
    """So nobody is logged in to an attacker's account by a link."""
    arrived = await browser.answer()
    kept = dict(browser.client.cookies)
    browser.client.cookies.clear()
    refused = await browser.client.get(arrived)
    assert (refused.status_code, refused.json()["code"]) == (400, "login_state_invalid")
    browser.client.cookies.update(kept)
    assert "code" in await browser.arrive(arrived)


async def test_two_logins_in_one_browser_do_not_disturb_each_other(browser: Browser) -> None:
    first, second = await browser.answer(), await browser.answer()
    assert "code" in await browser.arrive(first)
    assert "code" in await browser.arrive(second)


async def test_the_cookie_is_out_of_reach_of_scripts_and_deleted_at_the_end(browser: Browser) -> None:
    begun = await browser.begin()
    cookie = begun.headers["set-cookie"]
    assert {"HttpOnly", "Path=/", "SameSite=lax"} <= set(cookie.split("; "))
    ended = await browser.client.get(await browser.answer())
    assert "Max-Age=0" in ended.headers["set-cookie"]


async def test_behind_https_no_other_host_can_set_the_cookie(opened: Opened, github: GitHubServer) -> None:
    public = {"public_url": "https://api.example.com/base"}
    async with opened(github_settings(github), http=public) as app, browser_of(app) as client:
        begun = await Browser(client).begin()
    cookie = begun.headers["set-cookie"]
    assert cookie.startswith("__Host-partywall-login-")
    assert {"Secure", "HttpOnly", "Path=/"} <= set(cookie.split("; "))
    callback = query_of(begun.headers["location"])["redirect_uri"]
    assert callback == "https://api.example.com/base/api/v1/auth/oauth/github/callback"


@pytest.mark.parametrize("name", ["state", "code", "iss", "error"])
async def test_a_doubled_parameter_is_refused(browser: Browser, name: str) -> None:
    arrived = await browser.answer()
    value = query_of(arrived).get(name, "access_denied")
    refused = await browser.client.get(f"{arrived}&{name}={value}&{name}={value}")
    assert (refused.status_code, refused.json()["code"]) == (400, "login_state_invalid")


async def test_each_parameter_is_needed(browser: Browser) -> None:
    arrived = await browser.answer()
    for name, value in query_of(arrived).items():
        if name == "state":
            assert (await browser.client.get(arrived.replace(f"state={value}", ""))).status_code == 400
    arrived = await browser.answer()
    code = query_of(arrived)["code"]
    assert (await browser.arrive(arrived.replace(f"code={code}", "")))["error"] == "server_error"


async def test_an_answer_of_another_issuer_is_refused(browser: Browser) -> None:
    arrived = (await browser.answer()).replace("%2Flogin%2Foauth", "%2Fother")
    assert (await browser.arrive(arrived))["error"] == "server_error"


async def test_a_refusal_by_the_person_is_told(browser: Browser, github: GitHubServer) -> None:
    github.denies = True
    assert (await browser.arrive(await browser.answer()))["error"] == "access_denied"


async def test_a_foreign_code_is_refused(browser: Browser) -> None:
    arrived = await browser.answer()
    code = query_of(arrived)["code"]
    assert (await browser.arrive(arrived.replace(code, "invented")))["error"] == "server_error"


async def test_a_provider_that_is_away_is_told(browser: Browser, github: GitHubServer) -> None:
    arrived = await browser.answer()
    github.away = True
    assert (await browser.arrive(arrived))["error"] == "temporarily_unavailable"


@pytest.mark.parametrize(
    "answer",
    [
        Response(b"[" * 100_000),
        Response(b'{"id": "7"}'),
        Response(b'{"id": true}'),
        Response(b"[]"),
        Response(b'{"access_token": "a", "expires_in": [1]}'),
        Response(b'{"access_token": "a", "expires_in": 1e999}'),
        Response(b'{"access_token": {"a": 1}, "error": null}'),
        Response(status_code=302, headers={"location": "http://127.0.0.1:1/"}),
        Response(b'{"id": 1}' + b" " * 1_000_000),
    ],
    ids=["nested", "text", "boolean", "list", "times", "infinite", "object", "redirect", "long"],
)
@pytest.mark.parametrize("path", ["/api/v3/user", "/login/oauth/access_token"])
async def test_a_malformed_answer_logs_nobody_in(
    browser: Browser, github: GitHubServer, path: str, answer: Response
) -> None:
    github.answers[path] = answer
    told = await browser.arrive(await browser.answer())
    assert told["error"] in ("server_error", "temporarily_unavailable")


async def test_a_code_is_good_once_and_for_its_verifier(browser: Browser) -> None:
    code = await browser.code()
    for verifier in (UNKNOWN, None):  # a wrong one uses the code up
        refused = await browser.redeem(code, verifier)
        assert (refused.status_code, refused.json()["code"]) == (400, "invalid_grant")
    code = await browser.code()
    assert [(await browser.redeem(code)).status_code for _ in range(2)] == [200, 400]


async def test_a_code_expires(opened: Opened, github: GitHubServer, monkeypatch: pytest.MonkeyPatch) -> None:
    async with opened(github_settings(github)) as app, browser_of(app) as client:
        browser = Browser(client)
        code = await browser.code()
        later = utc_now().timestamp() + 61
        monkeypatch.setattr("partywall.core.security.one_time.unix_time", lambda: later)
        assert (await browser.redeem(code)).status_code == 400


async def test_the_cache_holds_nothing_readable(browser: Browser, resources: Resources, github: GitHubServer) -> None:
    code = await browser.code()
    held = b""
    async for key in resources.cache.scan_iter(match="once:*"):
        held += key + (await resources.cache.get(key) or b"")
    assert held
    assert code.encode() not in held
    assert github.user.email.encode() not in held


async def test_codes_cannot_be_guessed_without_limit(opened: Opened, github: GitHubServer) -> None:
    async with opened(github_settings(github), accounts={"attempts_per_minute": 1}) as app, browser_of(app) as client:
        browser = Browser(client)
        statuses = [(await browser.redeem("invented")).status_code for _ in range(12)]
    assert set(statuses) == {400, 429}


async def test_a_disabled_account_cannot_log_in(browser: Browser, github: GitHubServer, users: Users) -> None:
    await browser.token()
    await users.execute("UPDATE account SET disabled_at = now() WHERE email = $1", github.user.email)
    refused = await browser.log_in()
    assert (refused.status_code, refused.json()["code"]) == (403, "account_disabled")


async def test_an_account_with_the_confirmed_address_is_linked(
    browser: Browser, github: GitHubServer, users: Users
) -> None:
    person = await users.person()
    github.user = GitHubUser(person.email.upper())
    assert (await browser.me(await browser.token()))["id"] == str(person.id)


@pytest.mark.parametrize("known", [True, False], ids=["known address", "unknown address"])
async def test_an_address_that_github_has_not_verified_reveals_and_links_nothing(
    browser: Browser, github: GitHubServer, users: Users, known: bool
) -> None:
    email = (await users.person()).email if known else new_address()
    github.user = GitHubUser(email, verified=False)
    refused = await browser.log_in()
    assert (refused.status_code, refused.json()["code"]) == (403, "address_unverified")


async def test_an_account_with_an_unconfirmed_address_is_not_linked(
    browser: Browser, github: GitHubServer, users: Users
) -> None:
    await users.execute("INSERT INTO account (email) VALUES ($1)", github.user.email)
    refused = await browser.log_in()
    assert (refused.status_code, refused.json()["code"]) == (409, "address_unconfirmed")


@pytest.mark.parametrize("registration", ["closed", "invite"])
async def test_new_accounts_need_what_registration_needs(
    opened: Opened, github: GitHubServer, users: Users, registration: str
) -> None:
    accounts = {"registration": registration}
    async with opened(github_settings(github), accounts=accounts) as app, browser_of(app) as client:
        browser = Browser(client)
        refused = await browser.log_in()
        assert (refused.status_code, refused.json()["code"]) == (403, "registration_closed")
        github.user = GitHubUser((await users.person()).email)
        assert (await browser.log_in()).status_code == 200


async def test_an_invited_address_gets_an_account(opened: Opened, github: GitHubServer, users: Users) -> None:
    owner = await users.person()
    project = await owner.project()
    invited = {"email": github.user.email, "role": "viewer"}
    assert (await owner.client.post(f"/api/v1/projects/{project}/invitations", json=invited)).status_code == 201
    async with opened(github_settings(github), accounts={"registration": "invite"}) as app, browser_of(app) as client:
        assert (await Browser(client).log_in()).status_code == 200
