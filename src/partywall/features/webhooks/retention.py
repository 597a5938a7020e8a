from __future__ import annotations

from typing import Final

import structlog
from sqlalchemy import DateTime, Integer, bindparam, func, select

from partywall.core.clock import utc_now
from partywall.core.resources import Resources

log = structlog.get_logger(__name__)

CHUNK: Final = 5_000
_PRUNE: Final = select(
    func.wall.prune_webhook_deliveries(
        bindparam("before", type_=DateTime(timezone=True)), bindparam("most", type_=Integer)
    )
)


async def prune_deliveries(resources: Resources) -> None:
    """Deletes deliveries older than the configured retention, in batches."""
    before = utc_now() - resources.settings.webhooks.retention
    removed = 0
    while True:
        async with resources.sessions.begin() as session:
            step = await session.scalar(_PRUNE, {"before": before, "most": CHUNK}) or 0
        removed += step
        if step < CHUNK:
            break
    if removed:
        log.info("webhook_deliveries_pruned", deliveries=removed)
