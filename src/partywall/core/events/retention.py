"""Deletes old events."""

from __future__ import annotations

from datetime import timedelta
from typing import Final

import structlog
from sqlalchemy import BigInteger, DateTime, Integer, bindparam, func, select

from partywall.core.clock import utc_now
from partywall.core.db import batched_delete
from partywall.core.db.session import Sessions

log = structlog.get_logger(__name__)

CHUNK: Final = 5_000
# Each is deleted together with its deliveries.
TRIMMED_AT_ONCE: Final = 1_000

_PRUNE: Final = select(
    func.wall.prune_events(bindparam("before", type_=DateTime(timezone=True)), bindparam("most", type_=Integer))
)
_TRIM: Final = select(
    func.wall.trim_events(
        bindparam("events", type_=BigInteger), bindparam("bytes", type_=BigInteger), bindparam("most", type_=Integer)
    )
)


async def prune(sessions: Sessions, retention: timedelta, *, chunk: int = CHUNK) -> int:
    """Deletes events older than `retention`, oldest first, in short transactions. Returns their number."""
    before = utc_now() - retention
    removed = 0
    while True:
        async with sessions.begin() as session:
            step = await session.scalar(_PRUNE, {"before": before, "most": chunk}) or 0
        if not step:
            break
        removed += step
    if removed:
        log.info("events_pruned", events=removed, before=before.isoformat())
    return removed


async def trim(sessions: Sessions, *, events: int, size: int, chunk: int = TRIMMED_AT_ONCE) -> int:
    """Deletes the oldest events of projects with more than `events` events or `size` bytes. Returns their number."""
    removed = await batched_delete.prune(sessions, _TRIM, {"events": events, "bytes": size, "most": chunk})
    if removed:
        log.warning("events_dropped_early", events=removed)
    return removed
