"""Forged tokens against a route that requires authentication."""

from __future__ import annotations

import base64
import hmac
from collections.abc import Callable, Mapping
from uuid import UUID, uuid4

import orjson
import pytest
from cryptography.hazmat.primitives.asymmetric.ec import ECDSA
from cryptography.hazmat.primitives.asymmetric.utils import decode_dss_signature
from cryptography.hazmat.primitives.hashes import SHA256
from httpx2 import AsyncClient
from joserfc.jwk import ECKey

from partywall.core.clock import unix_time
from partywall.core.resources import Resources
from partywall.core.security.credential_cache import CredentialCache
from partywall.core.security.keys import SIGNING_KEYS, KeyRing
from partywall.core.security.tokens import VerifiedToken
from partywall.core.tenancy import Principal
from partywall.settings import Settings
from partywall.testing.users import Person, Users

ME = "/api/v1/users/me"

type Json = Mapping[str, object]


def encoded(raw: bytes) -> str:
    return base64.urlsafe_b64encode(raw).rstrip(b"=").decode()


def part(value: object) -> str:
    return encoded(orjson.dumps(value))


def merged(usual: Json, changed: Json | None) -> Json:
    """`None` removes a member."""
    return {name: value for name, value in {**usual, **(changed or {})}.items() if value is not None}


class Forge:
    """Signs anything with the real key, so that only the claims and headers can be wrong."""

    def __init__(self, key: ECKey, person: UUID) -> None:
        self.key = key
        now = int(unix_time())
        self.header: Json = {"alg": "ES256", "typ": "at+jwt", "kid": key.kid}
        self.claims: Json = {
            "iss": "partywall", "aud": "partywall", "sub": str(person), "sid": str(uuid4()),
            "iat": now, "exp": now + 60, "jti": str(uuid4()),
        }  # fmt: skip

    def token(self, header: Json | None = None, claims: Json | None = None, key: ECKey | None = None) -> str:
        """Built by hand, because the library refuses to write many of these tokens."""
        message = f"{part(merged(self.header, header))}.{part(merged(self.claims, claims))}"
        private = (key or self.key).get_op_key("sign")
        r, s = decode_dss_signature(private.sign(message.encode(), ECDSA(SHA256())))
        return f"{message}.{encoded(r.to_bytes(32) + s.to_bytes(32))}"

    def unsigned(self, header: Json) -> str:
        return f"{part(header)}.{part(self.claims)}."


@pytest.fixture
async def person(users: Users) -> Person:
    return await users.person()


@pytest.fixture
async def forge(resources: Resources, person: Person) -> Forge:
    ring = KeyRing(resources.sessions, resources.secrets.box(SIGNING_KEYS))
    return Forge((await ring.load()).signing(), person.id)


async def ask(client: AsyncClient, token: str) -> int:
    answer = await client.get(ME, headers={"Authorization": f"Bearer {token}"})
    if answer.status_code == 401:
        assert answer.headers["www-authenticate"].startswith('Bearer error="invalid_token"')
        assert answer.json()["code"] == "not_authenticated"
    return answer.status_code


async def test_what_the_forge_signs_unchanged_is_accepted(anonymous: AsyncClient, forge: Forge) -> None:
    """Otherwise the refusals below would prove nothing."""
    assert await ask(anonymous, forge.token()) == 200


async def test_a_clock_that_is_seconds_ahead_is_forgiven(anonymous: AsyncClient, forge: Forge) -> None:
    assert await ask(anonymous, forge.token(claims={"iat": int(unix_time()) + 10})) == 200


NOW = unix_time()
BAD_CLAIMS: dict[str, Json] = {
    "expired": {"exp": int(NOW) - 1},
    "no expiry": {"exp": None},
    "expiry as text": {"exp": "tomorrow"},
    "issued in the future": {"iat": int(NOW) + 3600},
    "no instant of issue": {"iat": None},
    "instant of issue as text": {"iat": "now"},
    "another issuer": {"iss": "https://example.com"},
    "no issuer": {"iss": None},
    "another audience": {"aud": "authenticated"},
    "no audience": {"aud": None},
    "no subject": {"sub": None},
    "a subject that is no id": {"sub": "admin"},
    "a number as subject": {"sub": 1},
    "no session": {"sid": None},
    "a session that is no id": {"sid": "x"},
    "an unknown account": {"sub": str(uuid4())},
    "not valid yet": {"nbf": int(NOW) + 3600},
}


@pytest.mark.parametrize("claims", BAD_CLAIMS.values(), ids=list(BAD_CLAIMS))
async def test_a_claim_that_is_not_ours_is_refused(anonymous: AsyncClient, forge: Forge, claims: Json) -> None:
    assert await ask(anonymous, forge.token(claims=claims)) == 401


BAD_HEADERS: dict[str, Json] = {
    "another type": {"typ": "JWT"},
    "no type": {"typ": None},
    "no key": {"kid": None},
    "an unknown key": {"kid": "made-up"},
    "a path as key": {"kid": "../../../../dev/null"},
    "SQL as key": {"kid": "' OR 1=1 --"},
    "a key of its own": {"jwk": ECKey.generate_key("P-256").as_dict(private=False)},
    "an address of keys": {"jku": "https://example.com/jwks.json"},
    "an extension that is critical": {"crit": ["exp"], "exp": 1},
    "an unknown extension that is critical": {"crit": ["http://example.com/x"], "http://example.com/x": True},
    "an unencoded payload": {"crit": ["b64"], "b64": False},
    "a certificate": {"x5u": "https://example.com/cert.pem"},
}


@pytest.mark.parametrize("header", BAD_HEADERS.values(), ids=list(BAD_HEADERS))
async def test_a_header_that_is_not_ours_is_refused(anonymous: AsyncClient, forge: Forge, header: Json) -> None:
    assert await ask(anonymous, forge.token(header)) == 401


async def test_another_key_under_our_key_id_is_refused(anonymous: AsyncClient, forge: Forge) -> None:
    outsider = ECKey.generate_key("P-256")
    assert await ask(anonymous, forge.token(key=outsider)) == 401


@pytest.mark.parametrize("alg", ["none", "None", "NONE", "nOnE", "", "HS256", "RS256"])
async def test_an_unsigned_token_is_refused(anonymous: AsyncClient, forge: Forge, alg: str) -> None:
    token = forge.unsigned({**forge.header, "alg": alg})
    for form in (token, token.rstrip("."), token + part("signature")):
        assert await ask(anonymous, form) == 401


async def test_the_public_key_does_not_work_as_a_shared_secret(anonymous: AsyncClient, forge: Forge) -> None:
    """The classic confusion: HS256 with the public key as the secret."""
    public = forge.key.as_dict(private=False)
    [published] = [key for key in (await anonymous.get("/.well-known/jwks.json")).json()["keys"]
                   if key["kid"] == forge.key.kid]  # fmt: skip
    secrets = [
        forge.key.as_pem(private=False), forge.key.as_der(private=False), orjson.dumps(public), orjson.dumps(published),
        str(published["x"]).encode(), b"",
    ]  # fmt: skip
    for secret in secrets:
        message = f"{part({**forge.header, 'alg': 'HS256'})}.{part(forge.claims)}"
        mac = hmac.digest(secret, message.encode(), "sha256")
        assert await ask(anonymous, f"{message}.{encoded(mac)}") == 401


SUPABASE: Json = {"iss": "supabase", "ref": "abcdefghijklmnopqrst", "aud": None, "sub": None, "sid": None, "jti": None}


@pytest.mark.parametrize("role", ["anon", "service_role", "authenticated"])
async def test_a_role_in_a_token_opens_nothing(
    anonymous: AsyncClient, users: Users, forge: Forge, settings: Settings, role: str
) -> None:
    """Not in a token of a Supabase project, not under any of our secrets, not next to our own claims."""
    assert settings.secret_key is not None
    message = f"{part({'alg': 'HS256', 'typ': 'JWT'})}.{part(merged(forge.claims, {**SUPABASE, 'role': role}))}"
    mac = hmac.digest(settings.secret_key.get_secret_value().encode(), message.encode(), "sha256")
    assert await ask(anonymous, f"{message}.{encoded(mac)}") == 401
    for claims in (SUPABASE, {"iss": "supabase"}, {"aud": "authenticated"}, {"sub": role}, {"sid": None}):
        assert await ask(anonymous, forge.token(claims={**claims, "role": role})) == 401
    foreign = await (await users.person()).project()
    headers = {"Authorization": f"Bearer {forge.token(claims={'role': role})}"}
    assert (await anonymous.get(ME, headers=headers)).status_code == 200
    assert (await anonymous.get(f"/api/v1/projects/{foreign}", headers=headers)).status_code == 404
    assert (await anonymous.get("/api/v1/projects", headers=headers)).json()["items"] == []


def bitten(token: str) -> str:
    """With one character of the signature changed."""
    head, _, signature = token.rpartition(".")
    return f"{head}.{'A' if signature[0] != 'A' else 'B'}{signature[1:]}"


MANGLED: dict[str, Callable[[str], str]] = {
    "a changed signature": bitten,
    "no signature": lambda token: token.rpartition(".")[0] + ".",
    "two parts": lambda token: token.rpartition(".")[0],
    "four parts": lambda token: token + ".x",
    "another payload": lambda token: ".".join((token.split(".")[0], part({"sub": str(uuid4())}), token.split(".")[2])),
    "a null signature": lambda token: token.rpartition(".")[0] + "." + "A" * 86,
    "no JSON": lambda token: "bm8." + token.partition(".")[2],
    "a list as header": lambda token: part([1]) + "." + token.partition(".")[2],
    "a huge token": lambda token: token + "A" * 7_000,
    "dots": lambda _: "..",
    "nothing": lambda _: "",
    "words": lambda _: "let me in",
    "a refresh token": lambda _: "pwr_" + "A" * 43,
    "not ASCII": lambda token: token + "\xe9",
}


@pytest.mark.parametrize("mangle", MANGLED.values(), ids=list(MANGLED))
async def test_a_mangled_token_is_refused(anonymous: AsyncClient, person: Person, mangle: Callable[[str], str]) -> None:
    headers = {b"Authorization": b"Bearer " + mangle(person.token).encode("latin-1")}
    answer = await anonymous.get(ME, headers=headers)
    assert (answer.status_code, answer.json()["code"]) == (401, "not_authenticated")


@pytest.mark.parametrize("scheme", ["Basic", "Token", "", "bearer:"])
async def test_another_scheme_is_refused(anonymous: AsyncClient, person: Person, scheme: str) -> None:
    answer = await anonymous.get(ME, headers={"Authorization": f"{scheme} {person.token}".strip()})
    assert answer.status_code == 401


def verified(expires_in: float = 60) -> VerifiedToken:
    return VerifiedToken(Principal.user(uuid4()), unix_time() + expires_in, uuid4())


def test_the_cache_forgets_the_oldest_the_expired_and_the_revoked() -> None:
    cache = CredentialCache[str, VerifiedToken](size=2)
    tokens = {name: verified() for name in ("first", "second", "third")}
    for name, each in tokens.items():
        cache.put(name, each, cache.moment)
    assert cache.get("first") is None
    assert cache.get("second") == tokens["second"]
    cache.forget(lambda each: each == tokens["second"])
    assert cache.get("second") is None
    assert cache.get("third") is not None
    cache.put("late", verified(expires_in=-1), cache.moment)
    assert cache.get("late") is None


def test_a_revocation_invalidates_the_cache() -> None:
    cache = CredentialCache[str, VerifiedToken]()
    moment = cache.moment
    cache.forget(lambda _: False)
    cache.put("perhaps revoked", verified(), moment)
    assert cache.get("perhaps revoked") is None
