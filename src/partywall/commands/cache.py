from __future__ import annotations

from typing import Final
from urllib.parse import urlsplit

from pydantic import SecretStr
from redis.asyncio import Redis
from redis.exceptions import AuthenticationError, AuthorizationError, RedisError
from redis.exceptions import ConnectionError as RedisConnectionError
from redis.exceptions import TimeoutError as RedisTimeoutError

from partywall.commands.usage_error import UsageError
from partywall.core.caches import create_cache
from partywall.core.log_masks import error_fields

_MOST_DATABASES: Final = 2**31
_FAILURES = (RedisError, OSError, ValueError, OverflowError)
_UNREACHABLE = (RedisConnectionError, RedisTimeoutError, OSError)
_LOGIN_FAILURES = (AuthenticationError, AuthorizationError)


def cache_at(secret: SecretStr | None) -> Redis:
    """Returns a client without opening a connection. Raises UsageError."""
    if secret is None:
        raise UsageError("CACHE__URL is not set")
    url = secret.get_secret_value()
    try:
        cache = create_cache(url)
        # Rejects unknown options; opens no connection.
        _ = cache.connection_pool.make_connection()  # type: ignore[no-untyped-call]  # untyped in redis
        if _is_valid(url):
            return cache
    except (ValueError, TypeError):
        pass
    raise UsageError("CACHE__URL is not a valid URL: use redis://:PASSWORD@HOST:PORT/0, or rediss:// with TLS")


def _is_valid(url: str) -> bool:
    """Checks what redis ignores, such as an invalid database number. Raises ValueError."""
    parts = urlsplit(url)
    number = parts.path.strip("/")
    is_number = not number or (number.isascii() and number.isdigit() and int(number) <= _MOST_DATABASES)
    named = parts.scheme == "unix" or is_number
    return url.isprintable() and " " not in url and parts.port != 0 and not parts.fragment and named


async def refuse_wrong_cache(secret: SecretStr | None) -> None:
    """Checks that Valkey accepts our login if it answers; an unreachable one is no error here. Raises UsageError."""
    cache = cache_at(secret)
    try:
        await cache.ping()
    except _UNREACHABLE as error:
        if isinstance(error, _LOGIN_FAILURES) or isinstance(error.__cause__, _LOGIN_FAILURES):
            raise UsageError(_unusable(error)) from None
    except _FAILURES as error:
        raise UsageError(_unusable(error)) from None
    finally:
        await cache.aclose()


def _unusable(error: Exception) -> str:
    return f"cannot use Valkey (CACHE__URL): {error_fields(error)['reason'] or 'no answer'}"
