"""Deletes old entries of the audit trail."""

from __future__ import annotations

from typing import Final

import structlog
from sqlalchemy import DateTime, Integer, bindparam, func, select

from partywall.core.clock import utc_now
from partywall.core.db.batched_delete import prune
from partywall.core.resources import Resources

log = structlog.get_logger(__name__)

ROWS_AT_ONCE: Final = 1_000
_PRUNE: Final = select(
    func.wall.prune_audit(bindparam("before", type_=DateTime(timezone=True)), bindparam("most", type_=Integer))
)


async def prune_audit(resources: Resources) -> None:
    before = utc_now() - resources.settings.audit.retention
    removed = await prune(resources.sessions, _PRUNE, {"before": before, "most": ROWS_AT_ONCE})
    if removed:
        log.info("audit_pruned", entries=removed)
