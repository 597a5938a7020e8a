from __future__ import annotations

import orjson
import pytest
from joserfc import jwt
from joserfc.jwk import ECKey, OctKey, RSAKey
from joserfc.jws import JWSRegistry

from partywall.core.security.opaque_tokens import token_text
from partywall.core.security.remote_keys import (
    MOST_KEYS,
    MOST_TOKEN_BYTES,
    KeySet,
    RemoteKeys,
    UnreadableKeysError,
    UnverifiedTokenError,
)

RSA = RSAKey.generate_key(2048, parameters={"kid": "rsa", "use": "sig"})
EC = ECKey.generate_key("P-256", parameters={"kid": "ec", "alg": "ES256"})
type Key = RSAKey | ECKey | OctKey


def published(*keys: Key) -> bytes:
    return orjson.dumps({"keys": [key.as_dict(private=False) for key in keys]})


def remote(body: bytes) -> RemoteKeys:
    async def fetch() -> bytes:
        return body

    return RemoteKeys(fetch, (OSError,))


def signed(key: Key, algorithm: str, **header: object) -> str:
    """A valid signature, whatever the header says."""
    said = {"alg": algorithm, "kid": key.kid, **header}
    text = ".".join(token_text(orjson.dumps(part)) for part in (said, {"sub": "a"}))
    return f"{text}.{token_text(JWSRegistry.algorithms[algorithm].sign(text.encode(), key))}"


@pytest.mark.parametrize(
    ("key", "algorithm"), [(RSA, "RS256"), (RSA, "PS512"), (EC, "ES256")], ids=["RS256", "PS512", "ES256"]
)
async def test_a_token_of_a_published_key_is_verified(key: Key, algorithm: str) -> None:
    token = await remote(published(RSA, EC)).verify(signed(key, algorithm))
    assert token.claims == {"sub": "a"}


async def test_the_only_fitting_key_needs_no_id() -> None:
    token = jwt.encode({"alg": "RS256"}, {"sub": "a"}, RSA, algorithms=["RS256"])
    assert (await remote(published(RSA, EC)).verify(token)).claims == {"sub": "a"}
    other = RSAKey.generate_key(2048, parameters={"kid": "other"})
    with pytest.raises(UnverifiedTokenError):
        await remote(published(RSA, other)).verify(token)


def symmetric_token() -> str:
    """Signed with the public key's own text as the secret."""
    secret = OctKey.import_key(published(RSA))
    return jwt.encode({"alg": "HS256", "kid": "rsa"}, {"sub": "a"}, secret, algorithms=["HS256"])


def embedded_token() -> str:
    own = ECKey.generate_key("P-256", parameters={"kid": "ec"})
    header = {"alg": "ES256", "kid": "ec", "jwk": own.as_dict(private=False)}
    return jwt.encode(header, {"sub": "a"}, own, algorithms=["ES256"])


@pytest.mark.parametrize(
    "token",
    [
        "",
        "a.b.c",
        "é.é.é",
        "a" * (MOST_TOKEN_BYTES + 1),
        symmetric_token(),
        embedded_token(),
        signed(EC, "ES256", kid="unknown"),
        signed(EC, "ES256", kid="rsa"),
        signed(EC, "ES256", kid=["ec"]),
        signed(EC, "ES256", kid="../../dev/null"),
        signed(EC, "ES256", crit=["exp"], exp=1),
        signed(ECKey.generate_key("P-256", parameters={"kid": "ec"}), "ES256"),
        signed(EC, "ES256")[:-4] + "AAAA",
    ],
    ids=range(13),
)
async def test_other_tokens_are_refused(token: str) -> None:
    with pytest.raises(UnverifiedTokenError):
        await remote(published(RSA, EC)).verify(token)


@pytest.mark.parametrize(
    "body",
    [b"", b"[]", b"{}", b'{"keys": {}}', b"[" * 100_000, orjson.dumps({"keys": [{}] * (MOST_KEYS + 1)})],
    ids=range(6),
)
async def test_what_is_no_set_of_keys_verifies_nothing(body: bytes) -> None:
    with pytest.raises(UnreadableKeysError):
        await remote(body).verify(signed(EC, "ES256"))


async def test_unsuitable_keys_are_left_out() -> None:
    encrypting = {**EC.as_dict(private=False), "use": "enc"}
    short = {"kty": "RSA", "kid": "short", "e": "AQAB", "n": "w" * 171}  # 1024 bits
    secret = {"kty": "oct", "kid": "secret", "k": "c2VjcmV0"}
    broken = {"kty": "EC", "kid": "broken", "crv": "P-256", "x": 1, "y": None}
    body = orjson.dumps({"keys": [encrypting, short, secret, broken, 7, {"kty": ["EC"]}, EC.as_dict(private=False)]})
    assert [key.kid for key in KeySet.read(body).keys] == ["ec"]


async def test_an_issuer_that_is_away_verifies_nothing() -> None:
    async def fetch() -> bytes:
        raise OSError

    with pytest.raises(OSError, match=r"^$"):
        await RemoteKeys(fetch, (OSError,)).verify(signed(EC, "ES256"))
