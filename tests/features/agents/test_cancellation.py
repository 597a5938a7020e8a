from __future__ import annotations

import asyncio

import pytest
import structlog

from tests.features.agents.agent_workspace import AgentWorkspace
from tests.features.agents.model_server import Asked, Reply, final


async def cancel(workspace: AgentWorkspace, run: str) -> int:
    return (await workspace.owner.client.post(f"{workspace.url}/runs/{run}/cancel")).status_code


async def until_asked(workspace: AgentWorkspace) -> None:
    async with asyncio.timeout(60):
        while not workspace.model.asked:
            await asyncio.sleep(0.02)


async def test_a_run_that_nobody_works_on_ends_at_once(workspace: AgentWorkspace) -> None:
    run = await workspace.start()
    assert await cancel(workspace, run) == 200
    found = await workspace.get(run)
    assert (found["status"], found["finished_at"] is not None) == ("cancelled", True)
    assert await workspace.kinds(run) == ["queued", "cancelled"]
    again = await workspace.owner.client.post(f"{workspace.url}/runs/{run}/cancel")
    assert (again.status_code, again.json()["detail"]) == (409, "The run is cancelled already.")
    workspace.model.says(final(answer="Another.", sources=[]))
    await workspace.run()
    assert await workspace.kinds(run) == ["queued", "cancelled"]


@pytest.mark.parametrize("streamed", [True, False])
async def test_a_running_model_call_is_stopped(workspace: AgentWorkspace, streamed: bool) -> None:
    never = asyncio.Event()
    workspace.model.says(Reply(text="One moment." if streamed else "", wait=never))
    with structlog.testing.capture_logs() as logs:
        run = await stopped_run(workspace)
    assert (await workspace.get(run))["status"] == "cancelled"
    assert (await workspace.kinds(run))[-1] == "cancelled"
    assert [log["outcome"] for log in logs if log["event"] == "run_ended"] == ["cancelled"]
    assert [log for log in logs if log["log_level"] in ("warning", "error")] == []


async def stopped_run(workspace: AgentWorkspace) -> str:
    """A run that was cancelled while its model did not answer."""
    async with workspace.working():
        run = await workspace.start()
        await until_asked(workspace)
        assert await cancel(workspace, run) == 200
        await workspace.until(run)
        async with asyncio.timeout(60):
            while not workspace.model.broken_off:
                await asyncio.sleep(0.02)
    return run


async def test_another_run_takes_the_place(workspace: AgentWorkspace) -> None:
    """In a project that has no other free slot."""
    hold = asyncio.Event()

    async def script(asked: Asked) -> Reply:
        if "wait" in asked.prompt:
            await hold.wait()
        return final(answer="Done.", sources=[])

    workspace.model.script = script
    places = workspace.resources.settings.agents.concurrency_per_project
    async with workspace.working():
        held = [await workspace.start("wait") for _ in range(places)]
        behind = await workspace.start("quick")
        await asyncio.sleep(1)
        assert (await workspace.get(behind))["status"] == "queued"
        await cancel(workspace, held[0])
        assert (await workspace.until(behind))["status"] == "succeeded"
        hold.set()
        for run in held[1:]:
            assert (await workspace.until(run))["status"] == "succeeded"
