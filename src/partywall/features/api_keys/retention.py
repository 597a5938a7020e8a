from __future__ import annotations

from datetime import timedelta
from typing import Final

import structlog
from sqlalchemy import DateTime, Integer, bindparam, func, select

from partywall.core.clock import utc_now
from partywall.core.db.batched_delete import prune
from partywall.core.resources import Resources

log = structlog.get_logger(__name__)

# So long, a key that is named in a log or a document can be identified.
KEPT_FOR: Final = timedelta(days=90)
ROWS_AT_ONCE: Final = 1_000
_PRUNE: Final = select(
    func.wall.prune_api_keys(bindparam("before", type_=DateTime(timezone=True)), bindparam("most", type_=Integer))
)


async def prune_api_keys(resources: Resources) -> None:
    """Delete keys that were revoked or expired more than `KEPT_FOR` ago."""
    removed = await prune(resources.sessions, _PRUNE, {"before": utc_now() - KEPT_FOR, "most": ROWS_AT_ONCE})
    log.info("api_keys_pruned", removed=removed)
