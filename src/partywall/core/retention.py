"""Deletes old data that belongs to no slice: stored answers of requests."""

from __future__ import annotations

from datetime import timedelta
from typing import Final

import structlog
from sqlalchemy import BigInteger, DateTime, Integer, bindparam, func, select

from partywall.core.clock import utc_now
from partywall.core.db.batched_delete import prune
from partywall.core.resources import Resources

log = structlog.get_logger(__name__)

ANSWERS_KEPT_FOR: Final = timedelta(hours=24)
ROWS_AT_ONCE: Final = 1_000
BYTES_AT_ONCE: Final = 8 * 1024 * 1024

_ANSWERS: Final = select(
    func.wall.prune_idempotency_keys(
        bindparam("before", type_=DateTime(timezone=True)),
        bindparam("most", type_=Integer),
        bindparam("bytes", type_=BigInteger),
    )
)


async def prune_answers(resources: Resources) -> None:
    """Deletes answers stored under an Idempotency-Key after 24 hours."""
    values = {"before": utc_now() - ANSWERS_KEPT_FOR, "most": ROWS_AT_ONCE, "bytes": BYTES_AT_ONCE}
    removed = await prune(resources.sessions, _ANSWERS, values)
    if removed:
        log.info("stored_answers_pruned", answers=removed)
