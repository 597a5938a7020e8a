from __future__ import annotations

from pydantic import SecretStr
from redis.asyncio import Redis
from redis.exceptions import RedisError

from partywall.commands.refusal import Refusal
from partywall.core.caches import create_cache
from partywall.core.masking import what_failed

_FAILURES = (RedisError, OSError, ValueError, OverflowError)


def cache_at(secret: SecretStr | None) -> Redis:
    """Opens no connection. Raises Refusal."""
    if secret is None:
        raise Refusal("CACHE__URL is not set")
    try:
        return create_cache(secret.get_secret_value())
    except ValueError:
        raise Refusal("CACHE__URL is no URL: redis://:PASSWORD@HOST:PORT/0, or rediss:// with TLS") from None


async def require_cache(secret: SecretStr | None) -> None:
    """That Valkey answers there. Raises Refusal."""
    cache = cache_at(secret)
    try:
        await cache.ping()
    except _FAILURES as error:
        raise Refusal(f"cannot reach Valkey (CACHE__URL): {what_failed(error)['reason'] or 'no answer'}") from None
    finally:
        await cache.aclose()
