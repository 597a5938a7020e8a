from __future__ import annotations

from typing import Final

import structlog
from sqlalchemy import Integer, bindparam, func, select

from partywall.core.db.batched_delete import prune
from partywall.core.resources import Resources

log = structlog.get_logger(__name__)

ROWS_AT_ONCE: Final = 1_000
_PRUNE: Final = select(func.wall.prune_invitations(bindparam("most", type_=Integer)))


async def prune_invitations(resources: Resources) -> None:
    """Delete expired invitations, so that addresses are not kept longer than needed."""
    removed = await prune(resources.sessions, _PRUNE, {"most": ROWS_AT_ONCE})
    if removed:
        log.info("invitations_pruned", invitations=removed)
