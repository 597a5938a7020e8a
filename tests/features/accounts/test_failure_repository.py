from __future__ import annotations

import asyncio
import secrets
from datetime import timedelta

from partywall.core.clock import utc_now
from partywall.core.resources import Resources
from partywall.features.accounts.failure_repository import FailureCounter, counted_failures
from partywall.features.accounts.lockout import LockoutPolicy, after_failure

POLICY = LockoutPolicy(max_failures=100, duration=timedelta(minutes=30))


async def test_of_failures_at_once_none_is_lost(resources: Resources) -> None:
    address_hash = secrets.token_bytes(32)

    async def fail() -> None:
        async with resources.sessions.begin() as session:
            counter = FailureCounter(session, address_hash)
            failures = await counter.open(utc_now())
            await asyncio.sleep(0.02)
            await counter.save(after_failure(failures, POLICY, utc_now()))

    await asyncio.gather(*(fail() for _ in range(4)))
    async with resources.sessions.read() as session:
        counted = await counted_failures(session, address_hash)
    assert counted is not None
    assert counted.count == 4


async def test_what_no_longer_counts_is_dropped(resources: Resources) -> None:
    old, recent = secrets.token_bytes(32), secrets.token_bytes(32)
    now = utc_now()
    async with resources.sessions.begin() as session:
        await FailureCounter(session, old).open(now - timedelta(hours=1))
        await FailureCounter(session, recent).open(now)
        await FailureCounter(session, recent).prune(now - timedelta(minutes=30))
    async with resources.sessions.read() as session:
        assert await counted_failures(session, old) is None
        assert await counted_failures(session, recent) is not None
