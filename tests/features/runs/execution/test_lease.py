"""A worker without heartbeats loses its run to another and can no longer write."""

from __future__ import annotations

import asyncio
from uuid import uuid4

import pytest
from structlog.testing import capture_logs

from tests.features.runs.agent_workspace import AgentWorkspace
from tests.features.runs.model_server import Asked, Call, Reply, final


async def take_lease(workspace: AgentWorkspace) -> None:
    """Takes the lease as another worker does after missing heartbeats; no worker holds this lease."""
    stolen = await workspace.users.execute(
        "UPDATE job SET lease = $1 WHERE kind = 'run_agent' AND state = 'running'", uuid4()
    )
    assert stolen == "UPDATE 1"


async def expire_lease(workspace: AgentWorkspace) -> None:
    """Expires the heartbeat of the new lease; the job must still exist."""
    silent = await workspace.users.execute(
        "UPDATE job SET heartbeat_at = now() - interval '1 hour' WHERE kind = 'run_agent' AND state = 'running'"
    )
    assert silent == "UPDATE 1"


@pytest.mark.parametrize("held", ["model", "words", "tool"])
async def test_who_has_lost_a_run_writes_nothing_more_and_another_goes_on(workspace: AgentWorkspace, held: str) -> None:
    document = await workspace.document("Log", "first\n")
    reached, lost = asyncio.Event(), asyncio.Event()

    async def script(asked: Asked) -> Reply:
        if asked.tool_results:
            return final(answer="Done.", sources=[])
        if not reached.is_set():
            reached.set()
            await lost.wait()
        text = "" if held == "model" else "One moment."
        return Reply(text, [Call("append", {"document_id": document, "text": "second"})])

    workspace.model.script = script
    with capture_logs() as logs:
        async with workspace.working():
            run = await workspace.start()
            async with asyncio.timeout(60):
                await reached.wait()
                before = await workspace.events(run)
                await take_lease(workspace)
                lost.set()
                while "lease_lost" not in {entry["event"] for entry in logs}:
                    await asyncio.sleep(0.02)
            await asyncio.sleep(0.3)
            assert await workspace.events(run) == before
            await expire_lease(workspace)
            assert (await workspace.until(run))["status"] == "succeeded"
    assert [len(asked.tool_results) for asked in workspace.model.asked] == [0, 0, 1]
    content = await workspace.owner.client.get(f"{workspace.url}/documents/{document}/content")
    assert content.text == "first\nsecond\n"
    assert await workspace.kinds(run) == [
        "queued", "started", "usage", "tool_called", "tool_returned", "usage", "succeeded",
    ]  # fmt: skip
