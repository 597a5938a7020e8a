"""Login at a certified OpenID provider, and what a wrong or hostile answer of it does."""

from __future__ import annotations

from urllib.parse import urlencode
from uuid import uuid4

import pytest

from partywall.core import fetched_value
from tests.features.identities.conftest import Browser, Opened, browser_of, oidc_settings, query_of
from tests.features.identities.oidc_servers import CALLBACKS, OidcServer, approve


def person() -> str:
    return f"ada-{uuid4().hex}"


async def told(browser: Browser) -> dict[str, str]:
    return await browser.arrive(await browser.approved(person()))


@pytest.mark.parametrize("userinfo", [True, False], ids=["address from userinfo", "address in the ID token"])
async def test_a_person_logs_in(oidc_browser: Browser, one: OidcServer, userinfo: bool) -> None:
    await one.change(userinfo=userinfo)
    name = person()
    answer = await oidc_browser.arrive(await oidc_browser.approved(name))
    assert answer["state"] == "of the app"
    tokens = (await oidc_browser.redeem(answer["code"])).json()
    me = await oidc_browser.me(tokens["access_token"])
    assert (me["email"], me["email_verified"], me["full_name"]) == (f"{name}@example.com", True, "Ada")
    again = await oidc_browser.arrive(await oidc_browser.approved(name))
    assert (await oidc_browser.me((await oidc_browser.redeem(again["code"])).json()["access_token"]))["id"] == me["id"]


async def test_the_request_has_pkce_state_and_nonce(oidc_browser: Browser) -> None:
    query = query_of((await oidc_browser.begin()).headers["location"])
    assert query["code_challenge_method"] == "S256"
    assert len({query["state"], query["nonce"], query["code_challenge"]}) == 3
    assert query["redirect_uri"] == f"{CALLBACKS}/one/callback"


async def test_an_id_token_for_another_nonce_is_refused(oidc_browser: Browser) -> None:
    """As when an attacker injects the answer to a login of their own."""
    url = (await oidc_browser.begin()).headers["location"]
    changed = {**query_of(url), "nonce": "another"}
    arrived = await approve(f"{url.partition('?')[0]}?{urlencode(changed)}", person())
    assert (await oidc_browser.arrive(arrived))["error"] == "server_error"


@pytest.mark.parametrize(("seconds", "result"), [(30, "code"), (90, "error")])
async def test_a_code_expires(oidc_browser: Browser, one: OidcServer, seconds: int, result: str) -> None:
    arrived = await oidc_browser.approved(person())
    await one.change(skew=seconds)
    assert result in await oidc_browser.arrive(arrived)


async def test_an_answer_is_accepted_once(oidc_browser: Browser) -> None:
    arrived = await oidc_browser.approved(person())
    assert "code" in await oidc_browser.arrive(arrived)
    replayed = await oidc_browser.client.get(arrived)
    assert (replayed.status_code, replayed.json()["code"]) == (400, "login_state_invalid")


@pytest.mark.parametrize(
    "forge",
    [
        {"kind": "tampered"},
        {"kind": "foreign key"},
        {"kind": "unsigned"},
        {"kind": "symmetric"},
        {"header": {"kid": "unknown"}},
        {"claims": {"iss": "http://127.0.0.1:1"}},
        {"claims": {"aud": "another client"}},
        {"claims": {"aud": ["partywall", "another client"], "azp": "partywall"}},
        {"claims": {"azp": "another client"}},
        {"claims": {"exp": 1_700_000_000}},
        {"claims": {"iat": 99_999_999_999}},
        {"claims": {"at_hash": "c29tZXRoaW5nIGVsc2U"}},
        {"claims": {"sub": "somebody else"}},
        {"claims": {"sub": 7}},
        {"without": ["nonce"]},
        {"without": ["exp"]},
        {"without": ["sub"]},
    ],
    ids=str,
)
async def test_a_forged_id_token_is_refused(oidc_browser: Browser, one: OidcServer, forge: dict[str, object]) -> None:
    await one.change(forge=forge)
    assert (await told(oidc_browser))["error"] == "server_error"


async def test_a_token_that_is_signed_again_by_the_provider_is_accepted(oidc_browser: Browser, one: OidcServer) -> None:
    """So the refusals above are for what each of them changes."""
    await one.change(forge={"claims": {}})
    assert "code" in await told(oidc_browser)


@pytest.mark.parametrize(("pause", "result"), [(0.0, "code"), (3600.0, "error")])
async def test_a_new_key_of_the_provider_is_fetched_but_not_too_often(
    opened: Opened, oidc_running: dict[str, OidcServer], one: OidcServer, monkeypatch: pytest.MonkeyPatch,
    pause: float, result: str,
) -> None:  # fmt: skip
    async with opened(oidc_settings(oidc_running)) as app, browser_of(app) as client:
        browser = Browser(client, "one")
        assert "code" in await told(browser)
        monkeypatch.setattr(fetched_value, "PAUSE_SECONDS", pause)
        await one.change(rotate=True)
        assert result in await told(browser)


async def test_the_answer_of_one_provider_is_not_taken_for_that_of_another(oidc_browser: Browser) -> None:
    arrived = await oidc_browser.approved(person())
    mixed = await oidc_browser.client.get(arrived.replace("/one/", "/two/"))
    assert (mixed.status_code, mixed.json()["code"]) == (400, "login_state_invalid")


@pytest.mark.parametrize("issuer", ["two", None], ids=["another issuer", "no issuer"])
async def test_an_answer_must_name_its_issuer(
    oidc_browser: Browser, oidc_running: dict[str, OidcServer], issuer: str | None
) -> None:
    query = query_of(await oidc_browser.approved(person()))
    del query["iss"]
    named = {} if issuer is None else {"iss": oidc_running[issuer].url}
    arrived = f"{CALLBACKS}/one/callback?{urlencode({**query, **named})}"
    assert (await oidc_browser.arrive(arrived))["error"] == "server_error"


async def test_one_subject_at_two_providers_is_two_people(
    oidc_browser: Browser, oidc_running: dict[str, OidcServer]
) -> None:
    name = person()
    await oidc_running["two"].change(email=f"{name}@example.org")
    emails = []
    for provider in ("one", "two"):
        browser = oidc_browser.at(provider)
        answer = await browser.arrive(await browser.approved(name))
        tokens = (await browser.redeem(answer["code"])).json()
        emails.append((await browser.me(tokens["access_token"]))["email"])
    assert emails == [f"{name}@example.com", f"{name}@example.org"]


async def test_an_unverified_address_makes_no_account(oidc_browser: Browser, one: OidcServer) -> None:
    await one.change(verified=False)
    refused = await oidc_browser.redeem((await told(oidc_browser))["code"])
    assert (refused.status_code, refused.json()["code"]) == (403, "address_unverified")


async def test_addresses_of_a_trusted_provider_count_as_verified(
    opened: Opened, oidc_running: dict[str, OidcServer], one: OidcServer
) -> None:
    settings = oidc_settings(oidc_running)
    settings["one"] = {**dict(settings["one"]), "trusts_addresses": True}  # type: ignore[call-overload]  # a mapping
    await one.change(verified=False)
    async with opened(settings) as app, browser_of(app) as client:
        browser = Browser(client, "one")
        assert (await browser.redeem((await told(browser))["code"])).status_code == 200


@pytest.mark.parametrize("fault", ["away", "long"])
async def test_a_provider_that_fails_opens_and_breaks_nothing(
    opened: Opened, oidc_running: dict[str, OidcServer], one: OidcServer, fault: str
) -> None:
    async with opened(oidc_settings(oidc_running)) as app, browser_of(app) as client:
        browser = Browser(client, "one")
        arrived = await browser.approved(person())
        await one.change(**{fault: True})
        assert (await browser.arrive(arrived))["error"] == "temporarily_unavailable"
        await one.change()


async def test_a_login_does_not_begin_without_the_provider(
    opened: Opened, oidc_running: dict[str, OidcServer], one: OidcServer
) -> None:
    await one.change(away=True)
    async with opened(oidc_settings(oidc_running)) as app, browser_of(app) as client:
        refused = await Browser(client, "one").begin()
    assert (refused.status_code, refused.json()["code"]) == (503, "provider_unavailable")
