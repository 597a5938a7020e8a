"""Values that a secret gives out once, within a short time."""

from __future__ import annotations

import secrets
from dataclasses import dataclass
from datetime import timedelta
from typing import Final

import orjson
from pydantic import JsonValue
from redis.asyncio import Redis
from redis.exceptions import RedisError

from partywall.core import cache_keys
from partywall.core.clock import unix_time
from partywall.core.errors import UnavailableError
from partywall.core.security.opaque_tokens import token_hash
from partywall.core.security.secrets import SecretBox

_BYTES: Final = 32
_MOST_BYTES: Final = 16 * 1024


class OneTimeValuesUnavailableError(UnavailableError):
    code = "login_unavailable"
    title = "Login at identity providers is not available right now"


def new_secret() -> str:
    return secrets.token_urlsafe(_BYTES)


@dataclass(frozen=True, slots=True)
class OneTimeValues:
    """The cache holds the secret's hash and the encrypted value, so that access to the cache neither reads, changes,
    forges nor swaps values."""

    cache: Redis
    box: SecretBox
    kind: str

    async def put(self, secret: str, value: JsonValue, ttl: timedelta) -> None:
        """Raises OneTimeValuesUnavailableError."""
        sealed = self.box.seal(orjson.dumps([self._bound(secret), unix_time() + ttl.total_seconds(), value]))
        assert len(sealed) <= _MOST_BYTES
        try:
            await self.cache.set(cache_keys.one_time(self.kind, secret), sealed, ex=ttl)
        except (RedisError, OSError) as error:
            raise OneTimeValuesUnavailableError from error

    async def take(self, secret: str) -> JsonValue:
        """The value; None if it was taken, has expired, or never was. Raises OneTimeValuesUnavailableError."""
        key = cache_keys.one_time(self.kind, secret)
        try:
            async with self.cache.pipeline(transaction=True) as pipeline:
                await pipeline.getrange(key, 0, _MOST_BYTES)
                await pipeline.delete(key)
                sealed, deleted = await pipeline.execute(raise_on_error=False)
        except (RedisError, OSError) as error:
            raise OneTimeValuesUnavailableError from error
        if not isinstance(sealed, bytes) or deleted != 1:
            return None
        return self._opened(secret, sealed)

    def _opened(self, secret: str, sealed: bytes) -> JsonValue:
        try:
            bound, until, value = orjson.loads(self.box.open(sealed))
        except ValueError:
            return None
        return value if bound == self._bound(secret) and until > unix_time() else None

    def _bound(self, secret: str) -> str:
        return token_hash(f"{self.kind} {secret}").hex()
