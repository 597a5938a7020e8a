from __future__ import annotations

import orjson
import pytest

from partywall.adapters.oidc.metadata import read_metadata
from partywall.core.identity_providers import ProviderUnavailableError

ISSUER = "https://login.example.com/tenant"
URL = f"{ISSUER}/.well-known/openid-configuration"
USUAL = {
    "issuer": ISSUER, "authorization_endpoint": f"{ISSUER}/auth", "token_endpoint": f"{ISSUER}/token",
    "jwks_uri": f"{ISSUER}/jwks",
}  # fmt: skip


def read(changed: dict[str, object] | None = None, *, any_issuer: bool = False) -> str:
    body = orjson.dumps({**USUAL, **(changed or {})})
    return read_metadata(body, URL, plain_http=False, any_issuer=any_issuer).issuer


def test_metadata_is_read() -> None:
    assert read() == ISSUER


def test_a_common_issuer_may_differ_within_its_host() -> None:
    common = "https://login.example.com/{tenantid}"
    assert read({"issuer": common}, any_issuer=True) == common
    with pytest.raises(ProviderUnavailableError):
        read({"issuer": "https://evil.example.com/{tenantid}"}, any_issuer=True)


@pytest.mark.parametrize(
    "changed",
    [
        {"issuer": "https://accounts.google.com"},
        {"issuer": "https://login.example.com/other"},
        {"authorization_endpoint": "javascript:alert(1)"},
        {"authorization_endpoint": "http://login.example.com/auth"},
        {"authorization_endpoint": "https://login.example.com/auth\r\nSet-Cookie: a=b"},
        {"token_endpoint": None},
        {"jwks_uri": ["https://login.example.com/jwks"]},
        {"issuer": "x" * 3000},
    ],
    ids=str,
)
def test_other_metadata_is_refused(changed: dict[str, object]) -> None:
    with pytest.raises(ProviderUnavailableError):
        read(changed)


@pytest.mark.parametrize("body", [b"", b"[]", b"[" * 100_000, b'{"issuer": 1}'], ids=range(4))
def test_what_is_no_metadata_is_refused(body: bytes) -> None:
    with pytest.raises(ProviderUnavailableError):
        read_metadata(body, URL, plain_http=False, any_issuer=False)
