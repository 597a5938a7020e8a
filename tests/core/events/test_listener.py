"""The cache may go and come back: it only signals when to look."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from pathlib import Path

import pytest
from redis.asyncio import Redis

from partywall.adapters.embedded.valkey import EmbeddedValkey
from partywall.core.background import Background
from partywall.core.cache_keys import CacheKey, events_channel
from partywall.core.caches import create_cache, create_listening_cache
from partywall.core.db.scopes import open_scope
from partywall.core.events.listener import Listener
from partywall.core.events.notifier import EventNotifier
from partywall.core.resources import Resources
from partywall.core.tenancy import ProjectScope
from partywall.testing.conditions import until
from partywall.testing.users import Users


class CallCounter:
    def __init__(self) -> None:
        self.count = 0

    def __call__(self, _: bytes) -> None:
        self.count += 1


@pytest.fixture
async def valkey(tmp_path: Path) -> AsyncIterator[EmbeddedValkey]:
    engine = EmbeddedValkey(tmp_path / "data")
    await engine.start()
    yield engine
    await engine.stop()


@pytest.fixture
async def subscriber_cache(valkey: EmbeddedValkey) -> AsyncIterator[Redis]:
    client = create_listening_cache(valkey.url)
    yield client
    await client.aclose()


@pytest.fixture
async def publisher(valkey: EmbeddedValkey) -> AsyncIterator[Redis]:
    client = create_cache(valkey.url)
    yield client
    await client.aclose()


async def test_channels_come_and_go_on_one_connection(subscriber_cache: Redis, publisher: Redis) -> None:
    listener, one, other = Listener(subscriber_cache), CallCounter(), CallCounter()
    async with Background() as background:
        background.start("listener", listener.run)
        listener.listen(CacheKey("one"), one)
        await until(lambda: one.count == 1)
        listener.listen(CacheKey("other"), other)
        await until(lambda: other.count == 1)
        await publisher.publish("one", 1)
        await until(lambda: one.count == 2)
        assert other.count == 1
        listener.forget(CacheKey("one"))
        async with asyncio.timeout(60):
            while (await publisher.pubsub_numsub("one"))[0][1]:
                await asyncio.sleep(0.02)
        await publisher.publish("other", 1)
        await until(lambda: other.count == 2)
        subscribers = [client for client in await publisher.client_list(_type="pubsub") if int(client["sub"])]
        assert len(subscribers) == 1
        listener.forget(CacheKey("other"))
        listener.listen(CacheKey("one"), one)
        await until(lambda: one.count == 3)


async def test_a_restart_of_the_cache_is_a_reason_to_look(
    valkey: EmbeddedValkey, subscriber_cache: Redis, publisher: Redis
) -> None:
    listener, calls = Listener(subscriber_cache), CallCounter()
    async with Background() as background:
        background.start("listener", listener.run)
        listener.listen(CacheKey("news"), calls)
        await until(lambda: calls.count == 1)
        await valkey.stop()
        await asyncio.sleep(0.5)
        assert calls.count == 1
        await valkey.start()
        await until(lambda: calls.count == 2)
        await publisher.publish("news", 1)
        await until(lambda: calls.count == 3)


async def test_a_killed_connection_is_opened_again(subscriber_cache: Redis, publisher: Redis) -> None:
    listener, calls = Listener(subscriber_cache), CallCounter()
    async with Background() as background:
        background.start("listener", listener.run)
        listener.listen(CacheKey("news"), calls)
        await until(lambda: calls.count == 1)
        await publisher.client_kill_filter(_type="pubsub")
        await until(lambda: calls.count == 2)


async def a_scope(users: Users, resources: Resources) -> ProjectScope:
    owner = await users.person()
    project = await owner.project()
    async with resources.sessions.read() as session:
        return await open_scope(session, owner.principal, project)


async def test_a_failed_announcement_is_sent_later(
    users: Users, resources: Resources, valkey: EmbeddedValkey, subscriber_cache: Redis, publisher: Redis
) -> None:
    scope = await a_scope(users, resources)
    listener, calls, notifier = Listener(subscriber_cache), CallCounter(), EventNotifier(publisher)
    await valkey.stop()
    async with Background() as background:
        background.start("notifier", notifier.run)
        background.start("listener", listener.run)
        notifier.notify(scope, 1)
        await asyncio.sleep(0.3)
        await valkey.start()
        listener.listen(events_channel(scope), calls)
        await until(lambda: calls.count >= 1)
        notifier.notify(scope, 2)
        await until(lambda: calls.count >= 2)


async def test_many_announcements_of_a_project_become_one(users: Users, resources: Resources, publisher: Redis) -> None:
    scope = await a_scope(users, resources)
    notifier = EventNotifier(publisher)
    async with publisher.pubsub() as pubsub:
        await pubsub.subscribe(events_channel(scope))
        await pubsub.get_message(timeout=2)
        for last in range(1, 50):
            notifier.notify(scope, last)
        assert await notifier.flush()
        message = await pubsub.get_message(timeout=2)
        assert message is not None
        assert message["data"] == b"49"
        assert await pubsub.get_message(timeout=0.2) is None
    assert await notifier.flush()
