"""Every pair of webhook writers, interleaved at every statement: no deadlock."""

from __future__ import annotations

import asyncio
import itertools
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from datetime import timedelta
from uuid import UUID, uuid4

import pytest
from sqlalchemy import event, select, text
from sqlalchemy.util import await_only

from partywall.core.clock import utc_now
from partywall.core.db.scopes import open_scope, open_shared_scope
from partywall.core.db.session import AsyncSession
from partywall.core.events.batches import WireEvent
from partywall.core.resources import Resources
from partywall.core.tenancy import Principal, ProjectNotFoundError
from partywall.features.projects.service import ProjectService
from partywall.features.webhooks.constants import PURPOSE
from partywall.features.webhooks.deliveries import DeliveryService
from partywall.features.webhooks.delivery_session_repository import DeliverySessionRepository
from partywall.features.webhooks.exceptions import DeliveryNotFoundError, WebhookDisabledError, WebhookNotFoundError
from partywall.features.webhooks.models import WebhookDelivery
from partywall.features.webhooks.retry_policy import Outcome
from partywall.features.webhooks.service import WebhookService
from partywall.testing.users import Person, Users
from tests.features.webhooks.webhook_workspace import WebhookWorkspace


@dataclass(slots=True)
class Scene:
    """A webhook with a delivery and a running job; the owner's address is unconfirmed.

    All rows have the same id.
    """

    resources: Resources
    owner: Person
    id: UUID

    async def service(self, session: AsyncSession) -> WebhookService:
        scope = await open_scope(session, self.owner.principal, self.id)
        return WebhookService(session, scope, self.resources.secrets.box(PURPOSE))

    async def turn(self, session: AsyncSession) -> DeliverySessionRepository | None:
        """Locks the webhook and returns its repository, or None if the webhook is gone."""
        scope = await open_shared_scope(session, Principal.service(self.id), self.id)
        repository = DeliverySessionRepository(session, scope)
        return None if await repository.lock(self.id) is None else repository

    async def lock_job(self, session: AsyncSession) -> None:
        await session.execute(text("SELECT FROM job WHERE dedupe_key = :key FOR SHARE"), {"key": self.key})

    @property
    def key(self) -> str:
        return f"deliver_webhook:{self.id}"


type Act = Callable[[Scene, AsyncSession], Awaitable[None]]


async def delete(scene: Scene, session: AsyncSession) -> None:
    service = await scene.service(session)
    await service.delete(scene.id)


async def redeliver(scene: Scene, session: AsyncSession) -> None:
    scope = await open_scope(session, scene.owner.principal, scene.id)
    await DeliveryService(session, scope).redeliver(scene.id, scene.id)


async def end_project(scene: Scene, session: AsyncSession) -> None:
    scope = await open_scope(session, scene.owner.principal, scene.id)
    await ProjectService(session, scope).delete()


async def take_over(scene: Scene, session: AsyncSession) -> None:
    await session.execute(text("SELECT wall.confirm_registration(:token)"), {"token": scene.id.bytes})


async def finish(scene: Scene, session: AsyncSession) -> None:
    if repository := await scene.turn(session):
        answered = Outcome(204, None)
        await repository.finish(scene.id, utc_now(), "succeeded", answered)
        await repository.keep_due(scene.id, answered)
        await repository.note_success(scene.id)
        await scene.lock_job(session)


async def fan_out(scene: Scene, session: AsyncSession) -> None:
    if repository := await scene.turn(session):
        await repository.fan_out(scene.id, [WireEvent(7, "document.created", "", b"")], 7, timedelta())
        await scene.lock_job(session)


async def number(scene: Scene, session: AsyncSession) -> None:
    """Numbers the events and requests the webhook's job."""
    await session.execute(text("SELECT wall.number_events(ARRAY[CAST(:project AS uuid)], 10)"), {"project": scene.id})


async def prune(_: Scene, session: AsyncSession) -> None:
    await session.execute(text("SELECT wall.prune_webhook_deliveries(now() + interval '1 h', 100)"))


USERS: tuple[Act, ...] = (delete, redeliver, end_project, take_over)
TURNS: tuple[Act, ...] = (finish, fan_out)
SWEEPS: tuple[Act, ...] = (number, prune)
# Pairs of user actions serialise on the project lock; a worker runs a webhook's transactions one by one.
PAIRS = [*itertools.product(USERS, TURNS), *itertools.product((delete, redeliver, fan_out), SWEEPS)]
MEETINGS = [*PAIRS, *((other, one) for one, other in PAIRS)]
# Errors that the later of two acts may get.
OVERTAKEN = (ProjectNotFoundError, WebhookNotFoundError, DeliveryNotFoundError, WebhookDisabledError)


@dataclass(slots=True)
class Pace:
    """Stops a transaction before its statement number `stop`, or before its commit if it has fewer."""

    stop: int | None
    reached: asyncio.Event = field(default_factory=asyncio.Event)
    go_on: asyncio.Event = field(default_factory=asyncio.Event)
    known: asyncio.Event = field(default_factory=asyncio.Event)
    pid: int = 0
    statements: int = 0

    def count(self, *_: object) -> None:
        self.statements += 1
        if self.statements == self.stop:
            await_only(self.wait())

    async def wait(self) -> None:
        self.reached.set()
        await self.go_on.wait()

    async def run(self, scene: Scene, act: Act) -> None:
        try:
            async with scene.resources.sessions.begin() as session:
                self.pid = await session.scalar(text("SELECT pg_backend_pid()")) or 0
                self.known.set()
                connection = (await session.connection()).sync_connection
                event.listen(connection, "before_cursor_execute", self.count)
                await act(scene, session)
                if self.stop is not None and self.statements < self.stop:
                    await self.wait()
        except OVERTAKEN:
            self.reached.set()


async def until_done_or_behind(users: Users, task: asyncio.Task[None], late: Pace, first: Pace) -> None:
    await late.known.wait()
    query = "SELECT $2 = ANY (pg_blocking_pids($1)) AS behind"
    while not task.done() and not (await users.fetch(query, late.pid, first.pid))[0]["behind"]:
        pass


async def meet(users: Users, scene: Scene, one: Act, other: Act, stop: int) -> bool:
    """Starts `other` while `one` is stopped before statement `stop`. Returns whether `one` has that statement."""
    first, late = Pace(stop), Pace(None)
    async with asyncio.timeout(60), asyncio.TaskGroup() as group:
        group.create_task(first.run(scene, one))
        await first.reached.wait()
        task = group.create_task(late.run(scene, other))
        await until_done_or_behind(users, task, late, first)
        first.go_on.set()
    return first.statements >= stop


_STAGE = """
WITH doubted AS (UPDATE account SET email_verified_at = NULL WHERE id = $1),
    built AS (INSERT INTO project (id, name) VALUES ($2, 'A stage')),
    owned AS (INSERT INTO project_member (project_id, account_id, role) VALUES ($2, $1, 'owner')),
    counted AS (INSERT INTO event_counter (project_id) VALUES ($2)),
    made AS (
        INSERT INTO webhook (project_id, id, url, sealed_secret, created_by)
        VALUES ($2, $2, 'https://a.example/', '', 'user:' || $1::text)
    ),
    stands AS (INSERT INTO webhook_progress (project_id, webhook_id, position) VALUES ($2, $2, 0)),
    happened AS (
        INSERT INTO pending_event (project_id, actor, events)
        VALUES ($2, 'x', '[{"type": "a.b", "subject_kind": "c", "subject_id": "d", "data": {}}]')
    ),
    enqueued AS (
        INSERT INTO job (kind, project_id, payload, state, dedupe_key, lease, heartbeat_at)
        VALUES ('deliver_webhook', $2, '{}', 'running', 'deliver_webhook:' || $2, $2, now() + interval '1 h')
    ),
    sent AS (
        INSERT INTO webhook_delivery (project_id, id, webhook_id, event_id, event_type) VALUES ($2, $2, $2, 5, 't')
    )
INSERT INTO registration (id, account_id, token_hash, password_hash, expires_at)
VALUES ($2, $1, uuid_send($2), 'x', now() + interval '1 h')
"""
_CLEAR = """
WITH gone AS (DELETE FROM registration WHERE id = $1), done AS (DELETE FROM job WHERE project_id = $1)
DELETE FROM project WHERE id = $1
"""


@asynccontextmanager
async def staged(users: Users, workspace: WebhookWorkspace) -> AsyncIterator[Scene]:
    """Creates the rows of a scene without requests."""
    owner, id_ = workspace.owner, uuid4()
    await users.execute(_STAGE, owner.id, id_)
    yield Scene(workspace.resources, owner, id_)
    await users.execute(_CLEAR, id_)


@pytest.mark.parametrize(("one", "other"), MEETINGS, ids=lambda act: act.__name__)
async def test_no_two_acts_deadlock(workspace: WebhookWorkspace, users: Users, one: Act, other: Act) -> None:
    for stop in itertools.count(1):
        async with staged(users, workspace) as scene:
            if not await meet(users, scene, one, other, stop):
                break


async def test_a_delivery_that_a_deletion_overtakes_leaves_nothing(workspace: WebhookWorkspace, users: Users) -> None:
    """The turn requested the webhook before the deletion; its delivery would have no webhook."""
    async with staged(users, workspace) as scene:
        person, turn = Pace(100), Pace(None)
        async with asyncio.timeout(60), asyncio.TaskGroup() as group:
            group.create_task(person.run(scene, delete))
            await person.reached.wait()
            served = group.create_task(turn.run(scene, fan_out))
            await until_done_or_behind(users, served, turn, person)
            assert not served.done()
            person.go_on.set()
        async with scene.resources.sessions.begin() as session:
            assert await scene.turn(session) is None
            assert (await session.scalars(select(WebhookDelivery))).all() == []
