"""A worker process that is killed during an attempt."""

from __future__ import annotations

import asyncio
from pathlib import Path

from partywall.core.resources import Resources
from partywall.settings import Settings
from partywall.testing.conditions import until
from tests.features.webhooks.receiver import Arrived, Receiver, status
from tests.features.webhooks.webhook_workspace import WebhookWorkspace, dispatching, lose
from tests.server import environment_of, program


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
