"""Jobs of unknown kinds: from a version that was rolled back, or of a removed kind.

They wait until a worker knows their kind. Until then no worker takes them, so operators are warned.
"""

from __future__ import annotations

import asyncio
from collections.abc import Collection
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from typing import Final, NamedTuple

import structlog
from sqlalchemy import text

from partywall.core.clock import utc_now
from partywall.core.db.session import AsyncReadSession, Sessions

log = structlog.get_logger(__name__)

LOOK_EVERY: Final = timedelta(minutes=10)
# The most jobs of a kind that are counted.
MOST: Final = 10_000
# One index step for each waiting kind. Jobs of dead workers count as waiting.
_UNKNOWN: Final = text("""
    WITH RECURSIVE next (kind) AS (
        (SELECT kind FROM job WHERE state = 'waiting' ORDER BY kind LIMIT 1)
        UNION ALL
        SELECT (SELECT j.kind FROM job AS j WHERE j.state = 'waiting' AND j.kind > next.kind ORDER BY j.kind LIMIT 1)
        FROM next WHERE next.kind IS NOT NULL
    ), lost AS MATERIALIZED (
        SELECT kind, created_at FROM job WHERE state = 'running' AND heartbeat_at < now() - CAST(:silent AS interval)
    ), unknown AS (
        SELECT kind FROM (SELECT kind FROM next UNION SELECT kind FROM lost) AS found
        WHERE kind IS NOT NULL AND kind <> ALL (CAST(:known AS text[]))
    )
    SELECT unknown.kind, counted.jobs, counted.since FROM unknown, LATERAL (
        SELECT count(*) AS jobs, min(each.created_at) AS since FROM (
            (SELECT j.created_at FROM job AS j WHERE j.state = 'waiting' AND j.kind = unknown.kind LIMIT :most)
            UNION ALL (SELECT lost.created_at FROM lost WHERE lost.kind = unknown.kind)
        ) AS each
    ) AS counted
    ORDER BY unknown.kind
""")


class UnknownJobs(NamedTuple):
    """How many jobs of a kind wait, counted up to `MOST`, and when the oldest of them was created."""

    kind: str
    jobs: int
    since: datetime


async def unknown_jobs(session: AsyncReadSession, known: Collection[str], silent: timedelta) -> list[UnknownJobs]:
    """The waiting jobs of unknown kinds, including those whose worker sent no heartbeat for `silent`."""
    given = {"known": list(known), "silent": silent, "most": MOST}
    return [UnknownJobs(*row) for row in await session.execute(_UNKNOWN, given)]


@dataclass(slots=True)
class UnknownKinds:
    """Logs a warning for each unknown kind, once per worker."""

    sessions: Sessions
    known: Collection[str]
    silent: timedelta
    _told: set[str] = field(default_factory=set)

    async def run(self) -> None:
        while True:
            await self.look()
            await asyncio.sleep(LOOK_EVERY.total_seconds())

    async def look(self) -> None:
        try:
            async with self.sessions.read() as session:
                found = await unknown_jobs(session, self.known, self.silent)
        except Exception as error:
            log.warning("unknown_kinds_check_failed", exc_info=error)
            return
        for each in found:
            if each.kind not in self._told:
                self._told.add(each.kind)
                waited = round((utc_now() - each.since).total_seconds())
                log.warning("job_kind_unknown", kind=each.kind, jobs=each.jobs, waited_seconds=waited)
