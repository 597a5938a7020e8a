"""Deletes expired registrations, mailed tokens, sessions, failure counters and known networks."""

from __future__ import annotations

from typing import Final

import structlog
from sqlalchemy import DateTime, Integer, bindparam, func, select, text

from partywall.core.clock import utc_now
from partywall.core.db.batched_delete import prune
from partywall.core.resources import Resources

log = structlog.get_logger(__name__)

ROWS_AT_ONCE: Final = 1_000
_MOST: Final = bindparam("most", type_=Integer)
_REGISTRATIONS: Final = select(func.wall.prune_registrations(_MOST))
_TOKENS: Final = select(func.wall.prune_account_tokens(_MOST))
_SESSIONS: Final = select(func.wall.prune_sessions(bindparam("before", type_=DateTime(timezone=True)), _MOST))
_FAILURES: Final = text("""
    WITH removed AS (
        DELETE FROM login_failure WHERE counter = ANY (ARRAY(
            SELECT counter FROM login_failure WHERE failed_at < :before AND coalesce(locked_until <= now(), true)
            LIMIT :most FOR UPDATE SKIP LOCKED
        )) RETURNING 1
    )
    SELECT count(*) FROM removed
""")

_NETWORKS: Final = text("""
    WITH removed AS (
        DELETE FROM known_network WHERE (address_hash, network_hash) IN (
            SELECT address_hash, network_hash FROM known_network WHERE used_at < :before
            LIMIT :most FOR UPDATE SKIP LOCKED
        ) RETURNING 1
    )
    SELECT count(*) FROM removed
""")


async def prune_registrations(resources: Resources) -> None:
    """Delete expired registrations, so that password hashes are not kept longer than needed."""
    removed = await prune(resources.sessions, _REGISTRATIONS, {"most": ROWS_AT_ONCE})
    if removed:
        log.info("registrations_pruned", registrations=removed)


async def prune_account_tokens(resources: Resources) -> None:
    removed = await prune(resources.sessions, _TOKENS, {"most": ROWS_AT_ONCE})
    if removed:
        log.info("account_tokens_pruned", tokens=removed)


async def prune_sessions(resources: Resources) -> None:
    """Delete sessions one refresh token lifetime after they expire, so that revoked ones are still recognised."""
    before = utc_now() - resources.settings.accounts.refresh_token_ttl
    removed = await prune(resources.sessions, _SESSIONS, {"before": before, "most": ROWS_AT_ONCE})
    if removed:
        log.info("sessions_pruned", sessions=removed)


async def prune_login_counters(resources: Resources) -> None:
    """Delete stale failure counters, and networks that have not been used for long."""
    now, settings = utc_now(), resources.settings.accounts
    removed = await prune(resources.sessions, _FAILURES, {"before": now - settings.lockout, "most": ROWS_AT_ONCE})
    if removed:
        log.info("login_failures_pruned", counters=removed)
    before = now - settings.known_network_retention
    await prune(resources.sessions, _NETWORKS, {"before": before, "most": ROWS_AT_ONCE})
