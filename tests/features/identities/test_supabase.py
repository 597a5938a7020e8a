"""Access tokens of a Supabase project."""

from __future__ import annotations

import asyncio
import hmac
from collections.abc import AsyncIterator, Callable
from uuid import uuid4

import orjson
import pytest
from fastapi import FastAPI
from httpx2 import AsyncClient, Response
from joserfc.jwk import ECKey, OctKey
from supabase_auth import AsyncGoTrueClient
from supabase_auth.errors import AuthInvalidJwtError

from partywall.core import fetched_value
from partywall.core.clock import unix_time
from partywall.core.security.opaque_tokens import token_text
from partywall.testing.users import Users
from tests.features.identities.conftest import IDENTITIES, Opened, browser_of
from tests.features.identities.supabase_issuer import SECRET, SupabaseIssuer, supabase_issuer

ME = "/api/v1/users/me"


@pytest.fixture(scope="session")
async def issuer() -> AsyncIterator[SupabaseIssuer]:
    async with supabase_issuer() as running:
        yield running


def settings(issuer: SupabaseIssuer, **more: object) -> dict[str, object]:
    return {
        "url": issuer.url, "jwt_secret": SECRET, "allow_http": True, "allowed_networks": ("127.0.0.0/8",), **more,
    }  # fmt: skip


@pytest.fixture(scope="session")
async def supabase_app(opened: Opened, issuer: SupabaseIssuer) -> AsyncIterator[FastAPI]:
    async with opened({}, supabase=settings(issuer, confirms_addresses=True)) as app:
        yield app


@pytest.fixture
async def client(supabase_app: FastAPI) -> AsyncIterator[AsyncClient]:
    async with browser_of(supabase_app) as client:
        yield client


async def me(client: AsyncClient, token: str) -> Response:
    return await client.get(ME, headers={"Authorization": f"Bearer {token}"})


@pytest.mark.parametrize("algorithm", ["ES256", "RS256", "HS256"])
async def test_a_user_gets_an_account_at_first_sight(
    client: AsyncClient, issuer: SupabaseIssuer, algorithm: str
) -> None:
    subject = str(uuid4())
    first = await me(client, issuer.token(subject, algorithm))
    assert first.status_code == 200, first.text
    assert (first.json()["email"], first.json()["email_verified"]) == (f"{subject}@example.com", True)
    assert (await me(client, issuer.token(subject, algorithm))).json()["id"] == first.json()["id"]


async def test_many_first_requests_make_one_account(client: AsyncClient, issuer: SupabaseIssuer) -> None:
    subject = str(uuid4())
    answers = await asyncio.gather(*(me(client, issuer.token(subject)) for _ in range(10)))
    assert len({answer.json()["id"] for answer in answers}) == 1


async def test_the_account_works_like_any_other(client: AsyncClient, issuer: SupabaseIssuer, users: Users) -> None:
    headers = {"Authorization": f"Bearer {issuer.token(str(uuid4()))}"}
    made = await client.post("/api/v1/projects", json={"name": "One"}, headers=headers)
    assert made.status_code == 201
    other = await users.person()
    assert (await other.client.get(f"/api/v1/projects/{made.json()['id']}")).status_code == 404
    assert (await client.get("/api/v1/auth/sessions", headers=headers)).json()["items"] == []
    [own] = (await client.get(IDENTITIES, headers=headers)).json()["items"]
    assert (own["provider"], own["issuer"]) == ("supabase", issuer.issuer)


async def test_an_account_with_the_confirmed_address_is_the_users(
    client: AsyncClient, issuer: SupabaseIssuer, users: Users
) -> None:
    person = await users.person()
    assert (await me(client, issuer.token(str(uuid4()), email=person.email))).json()["id"] == str(person.id)


async def test_own_tokens_and_keys_still_work(client: AsyncClient, users: Users) -> None:
    person = await users.person()
    assert (await me(client, person.token)).json()["id"] == str(person.id)
    project = await person.project()
    made = await person.client.post(f"/api/v1/projects/{project}/api-keys", json={"name": "k", "role": "viewer"})
    headers = {"Authorization": f"Bearer {made.json()['secret']}"}
    assert (await client.get(f"/api/v1/projects/{project}", headers=headers)).status_code == 200


async def test_an_unconfirmed_address_is_nobodys(opened: Opened, issuer: SupabaseIssuer, users: Users) -> None:
    person, subject = await users.person(), str(uuid4())
    async with opened({}, supabase=settings(issuer)) as app, browser_of(app) as client:
        found = (await me(client, issuer.token(subject, email=person.email))).json()
    assert (found["email"], found["email_verified"]) == (f"{subject}@supabase.invalid", False)
    assert found["id"] != str(person.id)


async def test_an_account_that_waits_for_confirmation_is_not_taken(
    client: AsyncClient, issuer: SupabaseIssuer, users: Users
) -> None:
    subject, email = str(uuid4()), f"{uuid4().hex}@example.com"
    await users.execute("INSERT INTO account (email) VALUES ($1)", email)
    assert (await me(client, issuer.token(subject, email=email))).json()["email"] == f"{subject}@supabase.invalid"


async def test_a_disabled_account_is_refused(client: AsyncClient, issuer: SupabaseIssuer, users: Users) -> None:
    subject = str(uuid4())
    await me(client, issuer.token(subject))
    await users.execute("UPDATE account SET disabled_at = now() WHERE email = $1", f"{subject}@example.com")
    assert (await me(client, issuer.token(subject))).status_code == 401


def unsigned(claims: dict[str, object]) -> str:
    return ".".join([token_text(b'{"alg":"none","typ":"JWT"}'), token_text(orjson.dumps(claims)), ""])


def by_secret(claims: dict[str, object], secret: bytes, kid: str) -> str:
    """joserfc does not sign with such a secret."""
    header = {"alg": "HS256", "kid": kid, "typ": "JWT"}
    text = ".".join(token_text(orjson.dumps(part)) for part in (header, claims))
    return f"{text}.{token_text(hmac.digest(secret, text.encode(), 'sha256'))}"


def key_of(kid: str | None) -> ECKey:
    return ECKey.generate_key("P-256", parameters={"kid": str(kid)})


REFUSED: dict[str, Callable[[SupabaseIssuer, str], str]] = {
    "anon": lambda issuer, subject: issuer.token(subject, role="anon"),
    "service role": lambda issuer, subject: issuer.token(subject, role="service_role"),
    "the project's own key": lambda issuer, subject: issuer.signed(
        {"iss": "supabase", "ref": "abc", "role": "service_role", "iat": 1, "exp": 9_999_999_999},
        OctKey.import_key(SECRET), "HS256",
    ),
    "anonymous": lambda issuer, subject: issuer.token(subject, is_anonymous=True),
    "anonymous, as text": lambda issuer, subject: issuer.token(subject, is_anonymous="true"),
    "no role": lambda issuer, subject: issuer.token(subject, role=None),
    "another issuer": lambda issuer, subject: issuer.token(subject, iss=f"{issuer.url}/auth/v1/"),
    "no issuer": lambda issuer, subject: issuer.token(subject, iss=None),
    "another audience": lambda issuer, subject: issuer.token(subject, aud="other"),
    "a list of audiences": lambda issuer, subject: issuer.token(subject, aud=["authenticated", "other"]),
    "no audience": lambda issuer, subject: issuer.token(subject, aud=None),
    "expired": lambda issuer, subject: issuer.token(subject, exp=int(unix_time()) - 60),
    "an endless number as expiry": lambda issuer, subject: issuer.token(subject, exp=10**400),
    "no expiry": lambda issuer, subject: issuer.token(subject, exp=None),
    "from the future": lambda issuer, subject: issuer.token(subject, iat=int(unix_time()) + 600),
    "no subject": lambda issuer, subject: issuer.token(subject, sub=None),
    "a subject that is no id": lambda issuer, subject: issuer.token(subject, sub="admin"),
    "no session": lambda issuer, subject: issuer.token(subject, session_id=None),
    "a session that is no id": lambda issuer, subject: issuer.token(subject, session_id="a"),
    "a foreign key under a known id": lambda issuer, subject: issuer.signed(
        issuer.claims(subject), key_of(issuer.ec.kid), "ES256"
    ),
    "another secret": lambda issuer, subject: issuer.signed(
        issuer.claims(subject), OctKey.import_key(SECRET[::-1]), "HS256"
    ),
    "the public key as a secret": lambda issuer, subject: by_secret(
        issuer.claims(subject), issuer.ec.as_pem(private=False), str(issuer.ec.kid)
    ),
    "an embedded key": lambda issuer, subject: issuer.signed(
        issuer.claims(subject), own := ECKey.generate_key("P-256"), "ES256", {"jwk": own.as_dict(private=False)}
    ),
    "unsigned": lambda issuer, subject: unsigned(issuer.claims(subject)),
    "our own type": lambda issuer, subject: issuer.token(subject, header={"typ": "at+jwt"}),
    "too long": lambda issuer, subject: issuer.token(subject, padding="x" * 9000),
    "no token": lambda issuer, subject: "a.b.c",
}  # fmt: skip


@pytest.mark.parametrize("name", REFUSED)
async def test_other_tokens_are_refused(client: AsyncClient, issuer: SupabaseIssuer, users: Users, name: str) -> None:
    subject = str(uuid4())
    assert (await me(client, REFUSED[name](issuer, subject))).status_code in (401, 431)
    assert await users.fetch("SELECT FROM identity WHERE subject = $1", subject) == []


async def test_without_the_setting_no_token_of_supabase_is_accepted(
    anonymous: AsyncClient, issuer: SupabaseIssuer
) -> None:
    assert (await me(anonymous, issuer.token(str(uuid4())))).status_code == 401


async def test_the_legacy_secret_counts_only_if_it_is_set(opened: Opened, issuer: SupabaseIssuer) -> None:
    async with opened({}, supabase=settings(issuer, jwt_secret=None)) as app, browser_of(app) as client:
        assert (await me(client, issuer.token(str(uuid4()), "HS256"))).status_code == 401
        assert (await me(client, issuer.token(str(uuid4())))).status_code == 200


async def test_keys_that_cannot_be_fetched_open_nothing(
    opened: Opened, issuer: SupabaseIssuer, users: Users, monkeypatch: pytest.MonkeyPatch
) -> None:
    token, person = issuer.token(str(uuid4())), await users.person()
    issuer.away, issuer.asked = True, 0
    async with opened({}, supabase=settings(issuer)) as app, browser_of(app) as client:
        refused = [await me(client, token) for _ in range(3)]
        assert {(each.status_code, each.json()["code"]) for each in refused} == {(503, "issuer_unavailable")}
        assert issuer.asked == 1, "a server that is away is not asked for each request"
        assert (await me(client, issuer.token(str(uuid4()), "HS256"))).status_code == 200
        assert (await me(client, person.token)).status_code == 200
        issuer.away = False
        monkeypatch.setattr(fetched_value, "PAUSE_SECONDS", 0.0)
        assert (await me(client, token)).status_code == 200


async def test_known_keys_are_used_while_the_issuer_is_away(
    opened: Opened, issuer: SupabaseIssuer, monkeypatch: pytest.MonkeyPatch
) -> None:
    async with opened({}, supabase=settings(issuer)) as app, browser_of(app) as client:
        assert (await me(client, issuer.token(str(uuid4())))).status_code == 200
        monkeypatch.setattr(fetched_value, "FRESH_SECONDS", 0.0)
        monkeypatch.setattr(fetched_value, "PAUSE_SECONDS", 0.0)
        issuer.away = True
        assert (await me(client, issuer.token(str(uuid4())))).status_code == 200
        monkeypatch.setattr(fetched_value, "KEPT_SECONDS", 0.0)
        assert (await me(client, issuer.token(str(uuid4())))).status_code == 503
        issuer.away = False


@pytest.mark.parametrize("algorithm", ["ES256", "RS256"])
async def test_supabases_own_client_accepts_the_test_issuer(issuer: SupabaseIssuer, algorithm: str) -> None:
    """So the tests above are about tokens as Supabase makes them."""
    subject = str(uuid4())
    async with AsyncGoTrueClient(url=issuer.issuer, auto_refresh_token=False, persist_session=False) as judge:
        found = await judge.get_claims(jwt=issuer.token(subject, algorithm))
        with pytest.raises(AuthInvalidJwtError):
            await judge.get_claims(jwt=issuer.signed(issuer.claims(subject), key_of(issuer.ec.kid), "ES256"))
    assert found is not None
    assert (found["claims"]["sub"], found["headers"]["alg"]) == (subject, algorithm)
