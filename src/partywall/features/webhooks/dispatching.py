"""The worker's loop: which webhooks have something to send is asked of the table, so that nothing depends on a word.

A word that a project has news only says when to ask, as for the streams.
"""

from __future__ import annotations

import asyncio
from collections.abc import Collection, Sequence
from dataclasses import dataclass, field
from datetime import timedelta
from typing import Final
from uuid import UUID

import structlog
from sqlalchemy.exc import SQLAlchemyError
from structlog.contextvars import bound_contextvars

from partywall.core.db.availability import reported
from partywall.core.errors import UnavailableError
from partywall.core.ids import new_id
from partywall.core.masking import what_failed
from partywall.core.outgoing.resolver import on_behalf_of
from partywall.core.resources import Resources
from partywall.core.tenancy import ProjectNotFoundError
from partywall.features.webhooks.exceptions import LeaseLostError
from partywall.features.webhooks.news import FreshNews
from partywall.features.webhooks.places import Candidate, Places
from partywall.features.webhooks.retrying import Rules
from partywall.features.webhooks.turn import Turn
from partywall.features.webhooks.turn_repository import CLAIM_AT_ONCE, CLAIM_OF_AT_ONCE, Claim

log = structlog.get_logger(__name__)

# Beyond one attempt: how long a worker may stand still before another takes its webhooks over.
SLACK: Final = timedelta(seconds=20)
# Claimed beyond the places that are free, so that who has the right to the next one is among them.
AHEAD: Final = 100


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
    _everywhere_at: float = 0.0
    # The last look left something that is due, or sent it away.
    _behind: bool = False
    _returning: int = 0
    _places: Places = field(init=False)
    _news: FreshNews = field(init=False)

    def __post_init__(self) -> None:
        self._places = Places(self.resources.settings.webhooks.concurrency)
        self._news = FreshNews(self._poll, self._look)

    @property
    def lease(self) -> timedelta:
        return self.resources.settings.webhooks.timeout + SLACK

    @property
    def idle(self) -> bool:
        """It serves nobody, and looks again when the poll interval is over, or at a word."""
        return self._places.deserted and not self._is_time()

    @property
    def _poll(self) -> timedelta:
        return self.resources.settings.webhooks.poll_interval

    async def run(self) -> None:
        with self.resources.newswire.followed_by(self._hear):
            async with asyncio.TaskGroup() as group:
                waking = group.create_task(self._wake_to_stop())
                while not self.stop.is_set():
                    self._look.clear()
                    self._begin(group)
                    if self._is_time():
                        self._leave(group, self._places.send_away())
                    self._places.wait(await self._claim())
                    self._begin(group)
                    await self._pause()
                waking.cancel()
                self._leave(group, self._places.clear())

    def _begin(self, group: asyncio.TaskGroup) -> None:
        while not self.stop.is_set() and (chosen := self._places.begin()) is not None:
            group.create_task(self._serve(chosen))

    async def _claim(self) -> list[Candidate]:
        """Leases for as many as there are places and some more; none where the database is away."""
        most = self._places.free + AHEAD - self._places.waiting - self._returning
        everywhere = self._is_time()
        if most <= 0:
            self._behind = self._behind or everywhere
            return []
        projects = self._news.take()
        if not everywhere and not projects:
            return []
        claimed: list[Candidate] = []
        try:
            if projects:
                claimed += await self._leased(CLAIM_OF_AT_ONCE, most, list(projects))
            if everywhere:
                due = await self._leased(CLAIM_AT_ONCE, most)
                self._behind = len(due) == most or self._returning > 0
                claimed += due
        except (OSError, UnavailableError) as error:
            log.warning("webhooks_unclaimed", **what_failed(error))
            return claimed
        if everywhere:
            self._everywhere_at = asyncio.get_running_loop().time() + self._poll.total_seconds()
        return claimed

    async def _leased(self, sql: str, most: int, *projects: list[UUID]) -> list[Candidate]:
        with reported():
            rows = await self.resources.reads.fetch(sql, self.worker, most, self.lease, *projects)
        return [Candidate(*row) for row in rows]

    def _leave(self, group: asyncio.TaskGroup, candidates: Sequence[Candidate]) -> None:
        """To whichever worker has places."""
        self._returning += len(candidates)
        group.create_task(self._give_back(candidates))

    async def _give_back(self, candidates: Sequence[Candidate]) -> None:
        """One at a time, which holds the rows of one alone; a lease that cannot be given back ends by itself."""
        for candidate in candidates:
            try:
                await self._turn(candidate).release()
            except (SQLAlchemyError, OSError, ProjectNotFoundError, UnavailableError) as error:
                log.info("webhook_not_given_back", webhook_id=str(candidate.webhook), **what_failed(error))
            finally:
                self._returning -= 1

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

    async def _serve(self, candidate: Candidate) -> None:
        more = False
        with bound_contextvars(project_id=str(candidate.project), webhook_id=str(candidate.webhook)):
            try:
                with on_behalf_of(candidate.account):
                    more = await self._turn(candidate).run()
            except (LeaseLostError, ProjectNotFoundError):
                log.info("webhook_turn_ended", reason="it is gone, or another worker serves it")
            except Exception:
                log.exception("webhook_turn_failed")
            finally:
                self._places.end(candidate)
        if self._places.can_begin:
            self._look.set()
        elif more or self._behind:
            self._look_everywhere()

    def _turn(self, candidate: Candidate) -> Turn:
        settings = self.resources.settings.webhooks
        rules = Rules(settings.first_retry, settings.attempts, settings.disable_after)
        claim = Claim(candidate.webhook, self.worker)
        return Turn(
            self.resources, rules, self.lease, candidate.project, claim, self.stop, lambda: self._places.crowded
        )

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
