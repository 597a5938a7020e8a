from __future__ import annotations

import asyncio
from datetime import timedelta

import pytest

from partywall.core import cache_keys
from partywall.core.caches import create_cache
from partywall.core.resources import Resources
from partywall.core.security.one_time import OneTimeValues, OneTimeValuesUnavailableError, new_secret

MINUTE = timedelta(minutes=1)


def values(resources: Resources, kind: str = "kind", purpose: str = "tests") -> OneTimeValues:
    return OneTimeValues(resources.cache, resources.secrets.box(purpose), kind)


async def test_a_value_is_given_out_once(resources: Resources) -> None:
    secret = new_secret()
    await values(resources).put(secret, ["a", None], MINUTE)
    taken = await asyncio.gather(*(values(resources).take(secret) for _ in range(20)))
    assert [each for each in taken if each is not None] == [["a", None]]


async def test_another_kind_or_secret_gets_nothing(resources: Resources) -> None:
    secret = new_secret()
    await values(resources).put(secret, "a", MINUTE)
    assert await values(resources, "other").take(secret) is None
    assert await values(resources).take(new_secret()) is None


async def test_a_value_that_was_moved_in_the_cache_opens_nothing(resources: Resources) -> None:
    secret, other = new_secret(), new_secret()
    await values(resources).put(secret, "a", MINUTE)
    await resources.cache.rename(cache_keys.one_time("kind", secret), cache_keys.one_time("kind", other))
    assert await values(resources).take(other) is None


@pytest.mark.parametrize("value", [b"", b"x", b"x" * 100_000])
async def test_a_value_of_somebody_else_opens_nothing(resources: Resources, value: bytes) -> None:
    secret = new_secret()
    await resources.cache.set(cache_keys.one_time("kind", secret), value)
    assert await values(resources).take(secret) is None
    await values(resources, purpose="other").put(secret, "a", MINUTE)
    assert await values(resources).take(secret) is None


async def test_a_value_of_another_type_is_dropped(resources: Resources) -> None:
    secret = new_secret()
    await resources.cache.rpush(cache_keys.one_time("kind", secret), b"a")
    assert await values(resources).take(secret) is None
    assert await resources.cache.exists(cache_keys.one_time("kind", secret)) == 0


async def test_without_the_cache_nothing_is_kept(resources: Resources) -> None:
    cache = create_cache("redis://127.0.0.1:1")
    away = OneTimeValues(cache, resources.secrets.box("tests"), "kind")
    with pytest.raises(OneTimeValuesUnavailableError):
        await away.put("a", "b", MINUTE)
    with pytest.raises(OneTimeValuesUnavailableError):
        await away.take("a")
    await cache.aclose()
