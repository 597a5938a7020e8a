"""Publishes revocations to other processes, so that these need not wait for their own regular check."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from dataclasses import dataclass
from enum import StrEnum
from typing import Final
from uuid import UUID

import structlog
from redis.asyncio import Redis
from redis.exceptions import RedisError

from partywall.core.cache_keys import CREDENTIALS, TICKETS
from partywall.core.log_masks import error_fields

log = structlog.get_logger(__name__)

# More are dropped: other processes notice them by themselves.
_MOST_PENDING: Final = 10_000
_AT_ONCE: Final = 500


class Revoked(StrEnum):
    SESSION = "session"
    ACCOUNT = "account"
    API_KEY = "api_key"
    SIGNING_KEYS = "signing_keys"


@dataclass(frozen=True, slots=True)
class Revocation:
    """`id` is the session's, the account's or the API key's."""

    kind: Revoked
    id: UUID | None = None

    def written(self) -> str:
        return self.kind if self.id is None else f"{self.kind} {self.id}"

    @classmethod
    def read(cls, message: bytes) -> Revocation | None:
        """The revocation in a message; None for invalid messages."""
        kind, _, id_ = message.decode("ascii", "replace").partition(" ")
        try:
            return cls(Revoked(kind), UUID(id_) if id_ else None)
        except ValueError:
            return None


type Tell = Callable[[Revocation], None]


def ignore_revocation(_: Revocation) -> None:
    """For a process without others to inform."""


class Revocations:
    """Publishes in the background, so that callers do not wait for the cache."""

    def __init__(self, cache: Redis) -> None:
        self._cache = cache
        self._pending: list[Revocation] = []
        self._wake = asyncio.Event()

    def tell(self, revoked: Revocation) -> None:
        if len(self._pending) < _MOST_PENDING:
            self._pending.append(revoked)
        self._wake.set()

    async def run(self) -> None:
        while True:
            await self._wake.wait()
            self._wake.clear()
            await self.flush()

    async def flush(self) -> None:
        pending, self._pending = self._pending, []
        for start in range(0, len(pending), _AT_ONCE):
            await announce(self._cache, *pending[start : start + _AT_ONCE])


async def announce(cache: Redis, *revoked: Revocation) -> bool:
    """Publishes revocations. Returns False if that failed; other processes then notice within seconds."""
    try:
        async with cache.pipeline(transaction=False) as pipeline:
            for each in revoked:
                await pipeline.publish(CREDENTIALS, each.written())
            await pipeline.execute()
    except (RedisError, OSError) as error:
        log.warning("revocation_not_published", **error_fields(error))
        return False
    return True


async def drop_tickets(cache: Redis) -> bool:
    """Deletes all stream tickets, when their tokens are no longer valid. Returns False if that failed."""
    try:
        async for name in cache.scan_iter(match=TICKETS, count=1000):
            await cache.unlink(name)
    except (RedisError, OSError) as error:
        log.warning("tickets_not_dropped", **error_fields(error))
        return False
    return True
