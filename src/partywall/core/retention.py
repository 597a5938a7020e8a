"""What no slice owns and nobody needs for long: stored answers of requests, and the queue's log."""

from __future__ import annotations

from datetime import timedelta
from typing import Final

import structlog
from sqlalchemy import BigInteger, DateTime, Integer, bindparam, func, select, text

from partywall.core.clock import utc_now
from partywall.core.db.pruning import prune
from partywall.core.jobs.schedules import Schedule
from partywall.core.jobs.work import Work
from partywall.core.resources import Resources

log = structlog.get_logger(__name__)

ANSWERS_KEPT_FOR: Final = timedelta(hours=24)
QUEUE_LOG_KEPT_FOR: Final = timedelta(hours=24)
ROWS_AT_ONCE: Final = 1_000
LOG_ROWS_AT_ONCE: Final = 5_000
BYTES_AT_ONCE: Final = 8 * 1024 * 1024

_ANSWERS: Final = select(
    func.wall.prune_idempotency_keys(
        bindparam("before", type_=DateTime(timezone=True)),
        bindparam("most", type_=Integer),
        bindparam("bytes", type_=BigInteger),
    )
)
_QUEUE_LOG: Final = text("""
    WITH removed AS (
        DELETE FROM pgqueuer_log WHERE id = ANY (ARRAY(
            SELECT id FROM pgqueuer_log WHERE created < :before ORDER BY created LIMIT :most FOR UPDATE SKIP LOCKED
        )) RETURNING 1
    )
    SELECT count(*) FROM removed
""")


async def prune_answers(resources: Resources) -> None:
    """Answers stored under an Idempotency-Key are replayed for 24 hours, and kept no longer."""
    values = {"before": utc_now() - ANSWERS_KEPT_FOR, "most": ROWS_AT_ONCE, "bytes": BYTES_AT_ONCE}
    removed = await prune(resources.sessions, _ANSWERS, values)
    if removed:
        log.info("stored_answers_pruned", answers=removed)


async def prune_queue_log(resources: Resources) -> None:
    """Three rows for every job: nothing reads them but an operator."""
    values = {"before": utc_now() - QUEUE_LOG_KEPT_FOR, "most": LOG_ROWS_AT_ONCE}
    removed = await prune(resources.sessions, _QUEUE_LOG, values)
    if removed:
        log.info("queue_log_pruned", rows=removed)


work = Work(
    schedules=(
        Schedule("prune_answers", "*/10 * * * *", prune_answers),
        Schedule("prune_queue_log", "*/10 * * * *", prune_queue_log),
    ),
)
