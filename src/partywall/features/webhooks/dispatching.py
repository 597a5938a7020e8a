"""The worker's loop: which webhooks have something to send is asked of the table, so that nothing depends on a word.

A word that a project has news only says when to ask, as for the streams.
"""

from __future__ import annotations

import asyncio
from collections.abc import Collection
from dataclasses import dataclass, field
from datetime import timedelta
from typing import Final
from uuid import UUID

import structlog
from sqlalchemy.exc import DBAPIError
from structlog.contextvars import bound_contextvars

from partywall.core.ids import new_id
from partywall.core.resources import Resources
from partywall.core.tenancy import ProjectNotFoundError
from partywall.features.webhooks.exceptions import LeaseLostError
from partywall.features.webhooks.news import FreshNews
from partywall.features.webhooks.retrying import Rules
from partywall.features.webhooks.turn import Turn
from partywall.features.webhooks.turn_repository import CLAIM, CLAIM_OF, Claim

log = structlog.get_logger(__name__)

# Beyond one attempt: how long a worker may stand still before another takes its webhooks over.
SLACK: Final = timedelta(seconds=20)


async def dispatch_webhooks(resources: Resources, stop: asyncio.Event) -> None:
    """Delivers until `stop` is set, then ends the attempts that are under way."""
    await Dispatcher(resources, stop).run()


@dataclass(slots=True)
class Dispatcher:
    """Asks for all that is due every poll interval, and in between for what is new in projects that it hears of."""

    resources: Resources
    stop: asyncio.Event
    worker: UUID = field(default_factory=new_id)
    _look: asyncio.Event = field(default_factory=asyncio.Event)
    _serving: int = 0
    _everywhere_at: float = 0.0
    _news: FreshNews = field(init=False)

    def __post_init__(self) -> None:
        self._news = FreshNews(self._poll, self._look)

    @property
    def lease(self) -> timedelta:
        return self.resources.settings.webhooks.timeout + SLACK

    @property
    def idle(self) -> bool:
        """It serves nobody, and looks again when the poll interval is over, or at a word."""
        return self._serving == 0 and not self._is_time()

    @property
    def _poll(self) -> timedelta:
        return self.resources.settings.webhooks.poll_interval

    async def run(self) -> None:
        with self.resources.newswire.followed_by(self._hear):
            async with asyncio.TaskGroup() as group:
                waking = group.create_task(self._wake_to_stop())
                while not self.stop.is_set():
                    self._look.clear()
                    for project_id, webhook_id in await self._claim():
                        self._serving += 1
                        group.create_task(self._serve(project_id, webhook_id))
                    await self._pause()
                waking.cancel()

    async def _claim(self) -> list[tuple[UUID, UUID]]:
        """Leases for as many as there are places; none where the database is away."""
        free = self.resources.settings.webhooks.concurrency - self._serving
        if free <= 0:
            return []
        everywhere, projects = self._is_time(), self._news.take()
        if not everywhere and not projects:
            return []
        values = {"worker": self.worker, "most": free, "lease": self.lease}
        query, given = (CLAIM, values) if everywhere else (CLAIM_OF, {**values, "projects": projects})
        try:
            async with self.resources.sessions.begin() as session:
                found = await session.execute(query, given)
                claimed = [(project_id, webhook_id) for project_id, webhook_id in found]
        except (DBAPIError, OSError) as error:
            log.warning("webhooks_unclaimed", error=type(error).__name__)
            return []
        if everywhere:
            self._everywhere_at = asyncio.get_running_loop().time() + self._poll.total_seconds()
        return claimed

    def _hear(self, projects: Collection[UUID]) -> None:
        if projects:
            self._news.hear(projects)
        else:
            self._look_everywhere()

    def _look_everywhere(self) -> None:
        self._everywhere_at = 0.0
        self._look.set()

    def _is_time(self) -> bool:
        return asyncio.get_running_loop().time() >= self._everywhere_at

    async def _serve(self, project_id: UUID, webhook_id: UUID) -> None:
        full = self._serving >= self.resources.settings.webhooks.concurrency
        more = False
        with bound_contextvars(project_id=str(project_id), webhook_id=str(webhook_id)):
            try:
                more = await self._turn(project_id, webhook_id).run()
            except (LeaseLostError, ProjectNotFoundError):
                log.info("webhook_turn_ended", reason="it is gone, or another worker serves it")
            except Exception:
                log.exception("webhook_turn_failed")
            finally:
                self._serving -= 1
        if more or full:
            self._look_everywhere()

    def _turn(self, project_id: UUID, webhook_id: UUID) -> Turn:
        settings = self.resources.settings.webhooks
        rules = Rules(settings.first_retry, settings.attempts, settings.disable_after)
        return Turn(self.resources, rules, self.lease, project_id, Claim(webhook_id, self.worker), self.stop)

    async def _pause(self) -> None:
        """Until it is worth looking again."""
        left = self._everywhere_at - asyncio.get_running_loop().time()
        try:
            async with asyncio.timeout(left if left > 0 else self._poll.total_seconds()):
                await self._look.wait()
        except TimeoutError:
            pass

    async def _wake_to_stop(self) -> None:
        await self.stop.wait()
        self._look.set()
