"""A notification wakes a worker at once; missed notifications are covered by polling."""

from __future__ import annotations

import asyncio
from collections.abc import Collection
from dataclasses import replace
from datetime import timedelta
from uuid import UUID, uuid4

import pytest

from partywall.core import shutdown
from partywall.core.cache_keys import JOBS, PROJECT_EVENTS
from partywall.core.events.broadcaster import MOST, project_ids_message
from partywall.core.events.listener import Listener
from partywall.core.job_waker import JobWaker
from partywall.core.jobs import runner
from partywall.core.resources import Resources
from partywall.core.tenancy import Principal
from partywall.features.webhooks.jobs import DeliverWebhook
from partywall.settings import JobSettings
from partywall.testing.conditions import until
from tests.features.webhooks import webhook_workspace
from tests.features.webhooks.conftest import OpenWorkspace
from tests.features.webhooks.receiver import Arrived, Receiver, status
from tests.features.webhooks.webhook_workspace import WebhookWorkspace, dispatching, numbered

NEVER = timedelta(hours=1)


async def heard(resources: Resources) -> None:
    """Waits until this process receives notifications."""
    told = asyncio.Event()
    with resources.waker.followed_by(told.set):
        async with asyncio.timeout(60):
            while not told.is_set():
                await resources.cache.publish(JOBS, b"")
                await asyncio.sleep(0.01)


@pytest.fixture
def polls_hourly(monkeypatch: pytest.MonkeyPatch) -> None:
    """Makes the next poll an hour away."""
    monkeypatch.setattr(runner, "SHORTEST_PAUSE_SECONDS", NEVER.total_seconds())
    monkeypatch.setattr(webhook_workspace, "OFTEN", JobSettings(poll_interval=NEVER))


@pytest.mark.usefixtures("polls_hourly")
async def test_an_event_is_sent_long_before_the_next_poll(
    workspace: WebhookWorkspace, receiver: Receiver, resources: Resources
) -> None:
    await workspace.hook(receiver.url)
    async with dispatching(resources):
        await heard(resources)
        await workspace.happen("document.created")
        await until(lambda: len(receiver.arrived) == 1)
        await workspace.happen("document.created")
        await until(lambda: len(receiver.arrived) == 2)


async def test_a_missed_notification_is_covered_by_polling(
    workspace: WebhookWorkspace, receiver: Receiver, resources: Resources
) -> None:
    await workspace.hook(receiver.url)
    deaf = replace(resources, waker=JobWaker(resources.cache, Listener(resources.cache)))
    async with dispatching(deaf):
        await workspace.happen("document.created")
        await until(lambda: len(receiver.arrived) == 1)


async def test_each_enabled_webhook_has_one_job_for_all_events_of_its_project(
    open_workspace: OpenWorkspace, receiver: Receiver, resources: Resources
) -> None:
    """Enqueued in the transaction that numbers the events; other webhooks get no job."""
    busy, other = await open_workspace(), await open_workspace()
    hooks = [await busy.hook(receiver.url), await busy.hook(receiver.url)]
    off = await busy.hook(receiver.url)
    await busy.owner.client.patch(off.url, json={"enabled": False})
    await other.hook(receiver.url)
    await numbered(busy, other)
    await busy.users.execute("DELETE FROM job WHERE kind = 'deliver_webhook'")
    for _ in range(3):
        await busy.happen("document.created")
        await numbered(busy)
    rows = await busy.users.fetch("SELECT dedupe_key, payload::text FROM job WHERE kind = 'deliver_webhook'")
    assert {row["dedupe_key"] for row in rows} == {f"deliver_webhook:{hook.id}" for hook in hooks}
    for row in rows:
        assert DeliverWebhook.model_validate_json(row["payload"]).acting == Principal.service(busy.project)


QUIET = "UPDATE webhook_progress SET quiet_until = now() + interval '1 h' WHERE webhook_id = $1"
PAUSED = "UPDATE webhook_progress SET paused_until = now() + interval '1 h' WHERE webhook_id = $1"


@pytest.mark.parametrize("rest", [QUIET, PAUSED])
async def test_events_during_a_webhooks_pause_wait_for_its_end(
    workspace: WebhookWorkspace, receiver: Receiver, rest: str
) -> None:
    hook = await workspace.hook(receiver.url)
    await numbered(workspace)
    await workspace.users.execute("DELETE FROM job WHERE project_id = $1", workspace.project)
    await workspace.users.execute(rest, hook.id)
    await workspace.happen("document.created")
    await numbered(workspace)
    [job] = await workspace.users.fetch(
        "SELECT state, due_at > now() + interval '50 min' AS late FROM job WHERE project_id = $1", workspace.project
    )
    assert (job["state"], job["late"]) == ("delayed", True)


async def test_numbering_events_does_not_wait_for_a_locked_webhook_job(
    workspace: WebhookWorkspace, receiver: Receiver
) -> None:
    """A request made meanwhile is passed on once the job is free, and not before."""
    users, hook = workspace.users, await workspace.hook(receiver.url)
    key = f"deliver_webhook:{hook.id}"
    await numbered(workspace)
    await users.execute("UPDATE job SET state = 'running', lease = $2 WHERE dedupe_key = $1", key, hook.id)
    query = "SELECT again_at IS NOT NULL AS again FROM job WHERE dedupe_key = $1"
    async with asyncio.timeout(60):
        async with users.transaction() as holder:
            await holder.execute("SELECT FROM job WHERE dedupe_key = $1 FOR UPDATE", key)
            await workspace.happen("document.created")
            await users.fetch("SELECT wall.catch_up_events($1, 1000)", workspace.project)
            assert not await users.fetch("SELECT FROM pending_event WHERE project_id = $1", workspace.project)
            [[is_left]] = await users.fetch("SELECT wall.pass_requests_on()")
            assert is_left
        assert [row["again"] for row in await users.fetch(query, key)] == [False]
        await numbered(workspace)
    assert [row["again"] for row in await users.fetch(query, key)] == [True]


async def test_every_follower_is_told_which_projects_have_events(resources: Resources) -> None:
    """An empty set when it connects; invalid messages are ignored. Events of other tests are filtered out."""
    told: list[Collection[UUID]] = []
    both = {uuid4(), uuid4()}

    def hear(projects: Collection[UUID]) -> None:
        if not projects or both.intersection(projects):
            told.append(both.intersection(projects))

    with resources.broadcaster.followed_by(hear), resources.broadcaster.followed_by(lambda _: None):
        await until(lambda: told == [set()])
        for message in (b"short", b"x" * 16 * (MOST + 1), project_ids_message(both)):
            await resources.cache.publish(PROJECT_EVENTS, message)
        await until(lambda: len(told) > 1)
    assert told == [set(), both]


@pytest.mark.usefixtures("polls_hourly")
async def test_a_worker_that_is_told_to_stop_does_not_wait_for_the_next_poll(resources: Resources) -> None:
    async with asyncio.timeout(60), dispatching(resources):
        await heard(resources)


async def test_a_worker_that_stops_leaves_a_slow_attempt_to_the_next(
    workspace: WebhookWorkspace, receiver: Receiver, resources: Resources, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(shutdown, "GRACE_SECONDS", 0.0)

    over = asyncio.Event()

    async def hang(_: Arrived) -> bytes:
        await over.wait()
        return status(204)

    async def succeeded() -> bool:
        return await workspace.statuses(hook) == ["succeeded"]

    receiver.answer = hang
    hook = await workspace.hook(receiver.url)
    await workspace.happen("document.created")
    async with asyncio.timeout(60), dispatching(resources, timeout=NEVER):
        await until(lambda: len(receiver.arrived) == 1)
    over.set()
    async with dispatching(resources):
        await until(succeeded)
    assert len({each.id for each in receiver.arrived}) == 1, "both deliveries must have the same id"
