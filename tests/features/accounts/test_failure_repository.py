from __future__ import annotations

import asyncio
import secrets
from datetime import timedelta

from partywall.core.clock import utc_now
from partywall.core.resources import Resources
from partywall.features.accounts.failure_repository import FailureCounter, counted_failures
from partywall.features.accounts.lockout import of_one_network

HOUR = timedelta(hours=1)
POLICY = of_one_network(3, HOUR)


async def charge(resources: Resources, *counters: bytes) -> timedelta | None:
    async with resources.sessions.begin() as session:
        charged = await FailureCounter(session).charge(b"an address", dict.fromkeys(counters, POLICY), utc_now())
        return charged.wait


async def counts(resources: Resources, *counters: bytes) -> list[int | None]:
    async with resources.sessions.read() as session:
        found = await counted_failures(session, counters)
    return [found[counter].count if counter in found else None for counter in counters]


async def test_of_attempts_at_once_no_more_are_admitted_than_allowed(resources: Resources) -> None:
    """Also when the attempts name the shared counters in different order."""
    one, other = secrets.token_bytes(32), secrets.token_bytes(32)
    orders = [(one, other), (other, one)] * 10
    waits = await asyncio.gather(*(charge(resources, *each) for each in orders))
    assert sorted(wait is None for wait in waits) == [False] * 17 + [True] * 3
    assert await counts(resources, one, other) == [3, 3]


async def test_a_successful_attempt_is_not_counted_as_a_failure(resources: Resources) -> None:
    one, other = secrets.token_bytes(32), secrets.token_bytes(32)
    for _ in range(3):
        assert await charge(resources, one, other) is None
    async with resources.sessions.begin() as session:
        await FailureCounter(session).succeeded(one, [other])
    assert await counts(resources, one, other) == [None, 2]
    assert await charge(resources, other) is None


async def test_what_no_longer_counts_is_dropped(resources: Resources) -> None:
    old, recent = secrets.token_bytes(32), secrets.token_bytes(32)
    now = utc_now()
    async with resources.sessions.begin() as session:
        counter = FailureCounter(session)
        await counter.charge(b"an address", {old: POLICY}, now - HOUR)
        await counter.charge(b"an address", {recent: POLICY}, now)
        await counter.prune(now - HOUR / 2)
    assert await counts(resources, old, recent) == [None, 1]
