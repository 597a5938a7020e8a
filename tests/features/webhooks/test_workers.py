"""Several workers, and workers that die during an attempt."""

from __future__ import annotations

import asyncio
import functools
from datetime import timedelta
from pathlib import Path
from uuid import uuid4

import pytest

from partywall.core.resources import Resources
from partywall.settings import Settings
from partywall.testing.conditions import until
from tests.features.webhooks.conftest import OpenWorkspace
from tests.features.webhooks.receiver import Arrived, Receiver, in_order, status
from tests.features.webhooks.webhook_workspace import WebhookWorkspace, dispatching, lose, numbered
from tests.server import environment_of, program


async def test_two_workers_share_the_work_and_repeat_nothing(
    open_workspace: OpenWorkspace, receiver: Receiver, second_receiver: Receiver, resources: Resources
) -> None:
    workspaces = [await open_workspace() for _ in range(4)]
    hooks = [await each.hook(receiver.url) for each in workspaces]
    async with dispatching(resources), dispatching(resources):
        await asyncio.gather(*(each.happen(*["document.created"] * 10) for each in workspaces))
        await until(lambda: len(receiver.arrived) >= 40)
        for workspace, hook in zip(workspaces, hooks, strict=True):
            await until(functools.partial(workspace.all_are, hook, "succeeded"))
    assert len(receiver.arrived) == len({each.id for each in receiver.arrived}) == 40
    for workspace in workspaces:
        mine = [each for each in receiver.arrived if each.event["project_id"] == str(workspace.project)]
        assert in_order(mine)


async def test_an_attempt_of_a_killed_worker_is_repeated_under_the_same_id(
    workspace: WebhookWorkspace, receiver: Receiver, resources: Resources
) -> None:
    """A worker dies during an attempt with a valid lease; another takes over when the lease expires."""
    hang = asyncio.Event()

    async def wait(_: Arrived) -> bytes:
        await hang.wait()
        return status(200)

    receiver.answer = wait
    hook = await workspace.hook(receiver.url)
    await workspace.happen("document.created", "document.updated")
    async with asyncio.TaskGroup() as group:
        killed = group.create_task(_work_for_ever(resources))
        await until(lambda: len(receiver.arrived) == 1)
        killed.cancel()
    receiver.answer = None
    async with dispatching(resources):
        await asyncio.sleep(0.2)
        assert len(receiver.arrived) == 1, "the lease of the dead worker must still hold"
        await lose(workspace, hook)
        await until(lambda: workspace.all_are(hook, "succeeded"))
    ids = [each.id for each in receiver.arrived]
    assert ids[0] == ids[1] != ids[2]
    assert len(ids) == 3
    hang.set()


async def test_an_outcome_is_not_kept_once_the_lease_is_lost(
    workspace: WebhookWorkspace, receiver: Receiver, resources: Resources
) -> None:
    async def steal(_: Arrived) -> bytes:
        await workspace.users.execute(
            "UPDATE job SET lease = $2, heartbeat_at = now() + interval '1 hour' WHERE dedupe_key = $1",
            f"deliver_webhook:{hook.id}", uuid4(),
        )  # fmt: skip
        return status(200)

    receiver.answer = steal
    hook = await workspace.hook(receiver.url)
    await workspace.happen("document.created", "document.updated")
    await numbered(workspace)
    async with dispatching(resources):
        await until(lambda: len(receiver.arrived) == 1)
        await asyncio.sleep(0.2)
    assert len(receiver.arrived) == 1
    assert [(each["status"], each["attempts"]) for each in await workspace.deliveries(hook)] == [("pending", 0)] * 2


@pytest.mark.soak
async def test_another_worker_repeats_an_attempt_under_the_same_id(
    workspace: WebhookWorkspace, receiver: Receiver, settings: Settings, resources: Resources, tmp_path: Path
) -> None:
    async def hang(_: Arrived) -> bytes:
        await asyncio.sleep(60)
        return status(204)

    async def succeeded() -> bool:
        return await workspace.statuses(hook) == ["succeeded"] * 2

    receiver.answer = hang
    hook = await workspace.hook(receiver.url)
    await workspace.happen("document.created", "document.updated")
    async with program("worker", environment=environment_of(settings), log=tmp_path / "worker.log") as worker:
        await until(lambda: len(receiver.arrived) == 1)
        worker.kill()
        await worker.wait()
    receiver.answer = None
    async with dispatching(resources):
        await lose(workspace, hook)  # otherwise the test would wait for the heartbeat to expire
        await until(succeeded)
    ids = [each.id for each in receiver.arrived]
    assert ids[0] == ids[1] != ids[2]
    for each in receiver.arrived:
        each.verify(hook.secret)


async def _work_for_ever(resources: Resources) -> None:
    async with dispatching(resources, timeout=timedelta(seconds=60)):
        await asyncio.Event().wait()
