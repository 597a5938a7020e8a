"""More hanging receivers than a worker has slots do not affect other accounts."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Mapping
from datetime import timedelta
from uuid import UUID

import pytest

from partywall.core.jobs import fair_scheduler
from partywall.core.resources import Resources
from partywall.testing.conditions import until
from tests.features.webhooks.conftest import OpenWorkspace
from tests.features.webhooks.receiver import Arrived, Receiver, status
from tests.features.webhooks.webhook_workspace import WebhookWorkspace, dispatching

LONG = timedelta(seconds=60)


class Hanging:
    """A receiver that holds each request until the test releases it."""

    def __init__(self, receiver: Receiver) -> None:
        self.receiver = receiver
        self.released = asyncio.Semaphore(0)
        receiver.answer = self._answer

    @property
    def held(self) -> int:
        return self.receiver.open

    def end(self) -> None:
        for _ in range(1000):
            self.released.release()

    async def _answer(self, _: Arrived) -> bytes:
        await self.released.acquire()
        return status(204)


@pytest.fixture
async def hanging(receiver: Receiver) -> AsyncIterator[Hanging]:
    hanging = Hanging(receiver)
    yield hanging
    hanging.end()


async def busy(open_workspace: OpenWorkspace, hanging: Hanging, webhooks: int, events: int = 3) -> WebhookWorkspace:
    workspace = await open_workspace()
    for _ in range(webhooks):
        await workspace.hook(hanging.receiver.url)
    await workspace.happen(*["document.created"] * events)
    return workspace


async def test_the_many_webhooks_of_one_project_leave_places_for_another(
    open_workspace: OpenWorkspace, hanging: Hanging, second_receiver: Receiver, resources: Resources
) -> None:
    await busy(open_workspace, hanging, webhooks=8, events=1)
    neighbour = await open_workspace()
    await neighbour.hook(second_receiver.url)
    async with dispatching(resources, timeout=LONG, concurrency=6):
        await until(lambda: hanging.held == 2)
        await neighbour.happen("document.created")
        await until(lambda: len(second_receiver.arrived) == 1, seconds=LONG.total_seconds() / 2)
        assert len(hanging.receiver.arrived) == hanging.held == 2
        hanging.end()
        await until(lambda: len(hanging.receiver.arrived) == 8)


async def test_the_many_projects_of_one_account_have_a_third_together(
    open_workspace: OpenWorkspace, hanging: Hanging, second_receiver: Receiver, resources: Resources
) -> None:
    workspaces = [await busy(open_workspace, hanging, webhooks=1, events=1) for _ in range(6)]
    for workspace in workspaces[1:]:
        await workspace.users.execute(
            "UPDATE project SET account_id = $2 WHERE id = $1", workspace.project, workspaces[0].owner.id
        )
    neighbour = await open_workspace()
    await neighbour.hook(second_receiver.url)
    async with dispatching(resources, timeout=LONG, concurrency=6):
        await until(lambda: hanging.held == 2)
        await neighbour.happen("document.created")
        await until(lambda: len(second_receiver.arrived) == 1, seconds=LONG.total_seconds() / 2)
        assert len(hanging.receiver.arrived) == hanging.held == 2
        hanging.end()
        await until(lambda: len(hanging.receiver.arrived) == 6)


async def test_many_projects_with_many_webhooks_leave_one_place_for_another(
    open_workspace: OpenWorkspace, hanging: Hanging, second_receiver: Receiver, resources: Resources
) -> None:
    for _ in range(3):
        await busy(open_workspace, hanging, webhooks=4, events=1)
    neighbour = await open_workspace()
    await neighbour.hook(second_receiver.url)
    async with dispatching(resources, timeout=LONG, concurrency=8):
        await until(lambda: hanging.held == 6)
        await neighbour.happen("document.created")
        await until(lambda: len(second_receiver.arrived) == 1, seconds=LONG.total_seconds() / 2)
        assert len(hanging.receiver.arrived) == hanging.held == 6
        hanging.end()


async def test_the_first_slot_that_frees_goes_to_the_waiting_account(
    open_workspace: OpenWorkspace,
    hanging: Hanging,
    second_receiver: Receiver,
    resources: Resources,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """A webhook with more events gives up its slot after one."""
    seen: set[UUID] = set()
    replace = fair_scheduler._Lines.replace

    def note(lines: fair_scheduler._Lines, found: Mapping[UUID, UUID]) -> None:
        replace(lines, found)
        seen.update(found)

    monkeypatch.setattr(fair_scheduler._Lines, "replace", note)
    for _ in range(3):
        await busy(open_workspace, hanging, webhooks=1)
    neighbour = await open_workspace()
    await neighbour.hook(second_receiver.url)
    async with dispatching(resources, timeout=LONG, concurrency=3):
        await until(lambda: hanging.held == 3)
        await neighbour.happen("document.created")
        await until(lambda: neighbour.project in seen)
        assert second_receiver.arrived == []
        hanging.released.release()
        await until(lambda: len(second_receiver.arrived) == 1, seconds=LONG.total_seconds() / 2)
        hanging.end()
        await until(lambda: len(hanging.receiver.arrived) == 9)


async def test_another_worker_serves_webhooks_without_a_slot(
    open_workspace: OpenWorkspace, hanging: Hanging, resources: Resources
) -> None:
    await busy(open_workspace, hanging, webhooks=2)
    async with dispatching(resources, timeout=LONG, concurrency=2):
        await until(lambda: hanging.held == 1)
        async with dispatching(resources, timeout=LONG, concurrency=2):
            await until(lambda: hanging.held == 2, seconds=LONG.total_seconds() / 2)
            hanging.end()
