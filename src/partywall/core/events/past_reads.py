"""Reads of past events: each account's streams take turns, at the pace of its deliveries."""

from __future__ import annotations

import asyncio
import sys
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Final
from uuid import UUID

from partywall.core.events.batches import EventBatch
from partywall.core.events.pace import READ, DeliveryPace, cost
from partywall.core.tenant import Tenant
from partywall.core.tenant_semaphore import TenantSemaphore

# Concurrent reads of past events, one per account.
PAST_READS: Final = 4


def event_reads(slots: int, each: int) -> TenantSemaphore:
    """Reads of events wait without limit; the number of streams bounds how many wait."""
    return TenantSemaphore(slots, each=each, waiting=sys.maxsize, max_wait=None)


def events_tenant(account: UUID) -> Tenant:
    return Tenant(f"user:{account}", background=True)


class PastReads:
    """Without turns, each of an account's many streams would wait its bounded time and then read."""

    def __init__(self, pace: DeliveryPace) -> None:
        self._pace = pace
        self._turns = event_reads(sys.maxsize, 1)
        self._slots = event_reads(PAST_READS, 1)

    @asynccontextmanager
    async def turn(self, account: UUID) -> AsyncIterator[None]:
        """Waits for the account's turn and pace, and then for a slot that other accounts use too."""
        tenant = events_tenant(account)
        async with self._turns.hold(tenant):
            await asyncio.sleep(self._pace.wait_after(account, 0))
            async with self._slots.hold(tenant):
                yield

    def charge(self, account: UUID, batch: EventBatch, messages: int) -> None:
        """Counts a read and its delivery. Call it without waiting after the turn, so that the next one waits for it."""
        self._pace.wait_after(account, READ + cost(len(batch.events), batch.size, messages))
