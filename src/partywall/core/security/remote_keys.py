"""The public keys of another issuer, by which its tokens are verified."""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Iterable, Iterator
from contextlib import suppress
from dataclasses import dataclass
from typing import Final

import orjson
from joserfc import jws
from joserfc.errors import JoseError
from joserfc.jwk import ECKey, RSAKey
from joserfc.jws import JWSRegistry
from joserfc.jwt import Token, decode

from partywall.core.fetched_value import FetchedValue

MOST_KEYS: Final = 64
MOST_TOKEN_BYTES: Final = 16 * 1024
# Characters of an RSA modulus: from 2048 bits to 8192.
_MODULUS: Final = range(342, 1367)
# By the type of the key: a token cannot choose how its key is used. No symmetric ones, because the keys are public.
_ALGORITHMS: Final[dict[str, tuple[str, ...]]] = {
    "RSA": ("RS256", "RS384", "RS512", "PS256", "PS384", "PS512"),
    "EC": ("ES256", "ES384", "ES512"),
}
ALGORITHMS: Final = tuple(name for names in _ALGORITHMS.values() for name in names)
_IMPORTS: Final[dict[str, type[RSAKey] | type[ECKey]]] = {"RSA": RSAKey, "EC": ECKey}

type PublicKey = RSAKey | ECKey


class KeyFetchError(Exception):
    """The issuer does not answer with its keys."""


class UnreadableKeysError(Exception):
    """What the issuer publishes is no set of keys."""


class UnverifiedTokenError(Exception):
    """The token is malformed, or not signed by a key of the issuer."""


@dataclass(frozen=True, slots=True)
class KeySet:
    keys: tuple[PublicKey, ...]

    @classmethod
    def read(cls, body: bytes) -> KeySet:
        """Keys of unknown or unsuitable kinds are left out. Raises UnreadableKeysError."""
        try:
            listed = orjson.loads(body)["keys"]
            if not isinstance(listed, list) or len(listed) > MOST_KEYS:
                raise UnreadableKeysError("not a list of keys, or too many")
        except (ValueError, LookupError, TypeError) as error:
            raise UnreadableKeysError("not a set of keys") from error
        return cls(tuple(_usable(listed)))

    def find(self, kid: str | None, algorithm: str) -> PublicKey | None:
        """The key with this id; without an id, the only key that fits."""
        fitting = [key for key in self.keys if _fits(key, algorithm)]
        if kid is None:
            return fitting[0] if len(fitting) == 1 else None
        return next((key for key in fitting if key.kid == kid), None)


def _usable(listed: Iterable[object]) -> Iterator[PublicKey]:
    for each in listed:
        if not isinstance(each, dict) or each.get("use", "sig") != "sig":
            continue
        kind = str(each.get("kty"))
        if kind not in _IMPORTS or (kind == "RSA" and len(str(each.get("n"))) not in _MODULUS):
            continue
        with suppress(JoseError, ValueError, TypeError, LookupError):
            yield _IMPORTS[kind].import_key(each)


def _fits(key: PublicKey, algorithm: str) -> bool:
    return algorithm in _ALGORITHMS[key.key_type] and key.alg in (None, algorithm)


class RemoteKeys:
    """Fetches the keys when they are first needed, and again when a token names an unknown one."""

    def __init__(self, fetch: Callable[[], Awaitable[bytes]], errors: tuple[type[Exception], ...]) -> None:
        async def fetched() -> KeySet:
            return KeySet.read(await fetch())

        self._value = FetchedValue[KeySet](fetched, (*errors, UnreadableKeysError))

    async def verify(self, token: str) -> Token:
        """The token with its claims, which are not checked. Raises UnverifiedTokenError, UnreadableKeysError, or one of
        the errors of `fetch`."""
        kid, algorithm = _named_key(token)
        keys = await self._value.get()
        key = keys.find(kid, algorithm)
        if key is None:
            key = (await self._value.renewed(keys)).find(kid, algorithm)
        if key is None:
            raise UnverifiedTokenError("signed by a key that the issuer does not publish")
        return verified(token, key, algorithm)


def verified(token: str, key: PublicKey, algorithm: str) -> Token:
    registry = JWSRegistry(algorithms=[algorithm], strict_check_header=False)
    try:
        return decode(token, key, algorithms=[algorithm], registry=registry)
    except (JoseError, ValueError, TypeError, LookupError) as error:
        raise UnverifiedTokenError("the signature is not valid") from error


def _named_key(token: str) -> tuple[str | None, str]:
    """The key's id and the algorithm that the header names."""
    if len(token) > MOST_TOKEN_BYTES:
        raise UnverifiedTokenError("the token is too long")
    try:
        header = jws.extract_compact(token.encode("ascii")).headers()
        kid, algorithm = header.get("kid"), header["alg"]
    except (JoseError, ValueError, TypeError, LookupError, AttributeError) as error:
        raise UnverifiedTokenError("not a token") from error
    if algorithm not in ALGORITHMS or not isinstance(kid, str | None):
        raise UnverifiedTokenError("an algorithm that is not accepted")
    return kid, algorithm
