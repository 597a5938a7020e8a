"""Receives the cache's messages, over one connection for the whole process."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Final

import structlog
from redis.asyncio import Redis
from redis.asyncio.client import PubSub
from redis.exceptions import RedisError

from partywall.core.backoff import RestartPauses
from partywall.core.cache_keys import CacheKey
from partywall.core.log_masks import error_fields

log = structlog.get_logger(__name__)

FIRST_PAUSE_SECONDS: Final = 0.2
LONGEST_PAUSE_SECONDS: Final = 10.0


class Listener:
    """The process's only subscription connection to the cache, shared by all listeners.

    A listener is called with each message, and with an empty one for each confirmed subscription, because messages from
    before the confirmation, or from an outage of the cache, are lost. The cache client must not retry or run health
    checks by itself.
    """

    def __init__(self, cache: Redis) -> None:
        self._cache = cache
        self._wanted: dict[CacheKey, Callable[[bytes], None]] = {}
        self._changed = asyncio.Event()

    def listen(self, channel: CacheKey, heard: Callable[[bytes], None]) -> None:
        self._wanted[channel] = heard
        self._changed.set()

    def forget(self, channel: CacheKey) -> None:
        self._wanted.pop(channel, None)
        self._changed.set()

    async def run(self) -> None:
        pauses = RestartPauses(FIRST_PAUSE_SECONDS, LONGEST_PAUSE_SECONDS, LONGEST_PAUSE_SECONDS)
        while True:
            await self._changed.wait()
            started = asyncio.get_running_loop().time()
            try:
                await self._converse()
            except* (RedisError, OSError) as errors:
                log.warning("cache_subscription_lost", **error_fields(errors.exceptions[0]))
            await asyncio.sleep(pauses.next(asyncio.get_running_loop().time() - started))
            self._changed.set()

    async def _converse(self) -> None:
        async with self._cache.pubsub() as pubsub:
            subscribed: set[CacheKey] = set()
            await self._align(pubsub, subscribed)
            if not subscribed:
                return
            async with asyncio.TaskGroup() as group:
                group.create_task(self._hear(pubsub))
                while True:
                    await self._changed.wait()
                    await self._align(pubsub, subscribed)

    async def _align(self, pubsub: PubSub, subscribed: set[CacheKey]) -> None:
        self._changed.clear()
        wanted = set(self._wanted)
        if added := wanted - subscribed:
            await pubsub.subscribe(*added)
        if dropped := subscribed - wanted:
            await pubsub.unsubscribe(*dropped)
        subscribed ^= added | dropped

    async def _hear(self, pubsub: PubSub) -> None:
        while True:
            message = await pubsub.get_message(timeout=None)
            if message is not None and message["type"] in ("message", "subscribe"):
                heard = self._wanted.get(CacheKey(message["channel"].decode()))
                if heard is not None:
                    heard(message["data"] if message["type"] == "message" else b"")


class Followers:
    """All followers of one channel in a process; the channel is subscribed to only while there are any."""

    def __init__(self, listener: Listener, channel: CacheKey) -> None:
        self._listener = listener
        self._channel = channel
        self._told: set[Callable[[bytes], None]] = set()

    @contextmanager
    def including(self, told: Callable[[bytes], None]) -> Iterator[None]:
        if not self._told:
            self._listener.listen(self._channel, self._hear)
        self._told.add(told)
        try:
            yield
        finally:
            self._told.discard(told)
            if not self._told:
                self._listener.forget(self._channel)

    def _hear(self, message: bytes) -> None:
        for told in self._told:
            told(message)
