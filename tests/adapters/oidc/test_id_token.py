from __future__ import annotations

from uuid import uuid4

import pytest
from joserfc.jwt import Token

from partywall.adapters.oidc.id_token import Expected, Profile, check_claims, read_profile
from partywall.core.clock import unix_time
from partywall.core.identity_providers import ProviderRefusedError

COMMON = "https://login.example.com/{tenantid}/v2.0"


def token(**claims: object) -> Token:
    now = int(unix_time())
    usual = {"aud": "client", "sub": "a", "nonce": "n", "iat": now, "exp": now + 60}
    return Token({"alg": "RS256"}, {**usual, **claims})


def expected(issuer: str) -> Expected:
    return Expected(issuer, "client", "n", "access")


def test_the_tenant_of_a_token_is_put_into_a_common_issuer() -> None:
    tenant = str(uuid4())
    issuer = COMMON.replace("{tenantid}", tenant)
    assert check_claims(token(iss=issuer, tid=tenant), expected(COMMON)) == issuer


@pytest.mark.parametrize(
    "claims",
    [
        {"iss": COMMON},
        {"iss": COMMON.replace("{tenantid}", str(uuid4())), "tid": str(uuid4())},
        {"iss": "https://login.example.com/evil/v2.0", "tid": "evil"},
        {"iss": COMMON, "tid": ["x"]},
    ],
    ids=["no tenant", "another tenant", "no id", "a list"],
)
def test_another_tenant_is_refused(claims: dict[str, object]) -> None:
    with pytest.raises(ProviderRefusedError):
        check_claims(token(**claims), expected(COMMON))


@pytest.mark.parametrize(
    ("claims", "address"),
    [
        ({"email_verified": True}, "ada@example.com"),
        ({"email_verified": "true"}, "ada@example.com"),
        ({"xms_edov": "1"}, "ada@example.com"),
        ({"email_verified": False}, None),
        ({"email_verified": "false"}, None),
        ({"email_verified": {"a": 1}}, None),
        ({"email_verified": True, "email": ["ada@example.com"]}, None),
        ({}, None),
    ],
    ids=str,
)
def test_only_a_verified_address_counts(claims: dict[str, object], address: str | None) -> None:
    assert read_profile({"sub": "a", "email": "ada@example.com", **claims}).verified_address == address


@pytest.mark.parametrize(
    "claims", [{}, {"sub": ""}, {"sub": 7}, {"sub": "a" * 256}, {"sub": "a\x00"}, [], None], ids=str
)
def test_without_a_subject_there_is_nobody(claims: object) -> None:
    with pytest.raises(ProviderRefusedError):
        read_profile(claims)


def test_long_claims_are_left_out() -> None:
    assert read_profile({"sub": "a", "name": "x" * 5000}) == Profile(sub="a")
