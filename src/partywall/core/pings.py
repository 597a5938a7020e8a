"""Checks whether each resource answers in time. At most one ping of each runs at once, for all callers."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable, Mapping
from contextlib import AsyncExitStack
from typing import Final

import structlog
from redis.asyncio import Redis
from sqlalchemy.ext.asyncio import AsyncEngine

from partywall.core.db import engine as engines
from partywall.core.log_masks import error_fields

log = structlog.get_logger(__name__)

PING_TIMEOUT_SECONDS: Final = 1.5

type Ping = Callable[[], Awaitable[None]]


class Pings:
    """Pings resources. Cancelling a hanging ping may take as long again; callers do not wait for that."""

    def __init__(self, pings: Mapping[str, Ping]) -> None:
        self._pings = pings
        self._asking: dict[str, asyncio.Task[bool]] = {}

    async def ask(self) -> dict[str, bool]:
        """Which resources answer."""
        asking = {name: self._asked(name, ping) for name, ping in self._pings.items()}
        await asyncio.wait(asking.values(), timeout=PING_TIMEOUT_SECONDS)
        return {name: task.done() and task.result() for name, task in asking.items()}

    def _asked(self, name: str, ping: Ping) -> asyncio.Task[bool]:
        asked = self._asking.get(name)
        if asked is None or asked.done():
            # lint: allow untracked-task - it is kept here until it ends, and may outlive its first caller
            asked = self._asking[name] = asyncio.create_task(_answers(name, ping))
        return asked

    async def close(self) -> None:
        for task in self._asking.values():
            task.cancel()
        if self._asking:
            await asyncio.wait(self._asking.values(), timeout=PING_TIMEOUT_SECONDS)


def open_pings(stack: AsyncExitStack, engine: AsyncEngine, cache: Redis, **others: Ping) -> Pings:
    async def ping_database() -> None:
        await engines.ping(engine)

    async def ping_cache() -> None:
        await cache.ping()

    pings = Pings({"database": ping_database, "cache": ping_cache, **others})
    stack.push_async_callback(pings.close)
    return pings


async def _answers(name: str, ping: Ping) -> bool:
    try:
        async with asyncio.timeout(PING_TIMEOUT_SECONDS):
            await ping()
    except Exception as error:  # noqa: BLE001 - any exception means failing
        log.warning("ping_failed", resource=name, **error_fields(error))
        return False
    return True
