"""A turn that ends while the run is cancelled or its starter leaves: the run ends."""

from __future__ import annotations

import asyncio

import pytest

from partywall.features.runs.execution import run_job
from tests.features.runs.agent_workspace import AgentWorkspace, code_of
from tests.features.runs.model_server import Asked, Reply, calling


@pytest.fixture(autouse=True)
def unwatched(monkeypatch: pytest.MonkeyPatch) -> None:
    """The worker checks too rarely to interrupt the call."""
    monkeypatch.setattr(run_job, "WATCH_SECONDS", 60.0)


class Held:
    """A model that answers once `go` is set."""

    def __init__(self, workspace: AgentWorkspace, reply: Reply) -> None:
        self.workspace = workspace
        self.reply = reply
        self.asked, self.go = asyncio.Event(), asyncio.Event()
        workspace.model.script = self.script

    async def script(self, _: Asked) -> Reply:
        self.asked.set()
        await self.go.wait()
        return self.reply


async def test_who_cancels_is_asked_for_no_decision(workspace: AgentWorkspace) -> None:
    model = Held(workspace, calling("publish", document_id=await workspace.document()))
    async with workspace.working():
        run = await workspace.start()
        await model.asked.wait()
        assert (await workspace.owner.client.post(f"{workspace.url}/runs/{run}/cancel")).status_code == 200
        model.go.set()
        found = await workspace.until(run, "waiting", "cancelled")
    assert (found["status"], found["pending"]) == ("cancelled", [])
    assert await workspace.kinds(run) == ["queued", "started", "usage", "cancelled"]


async def test_who_cancels_waits_for_no_further_attempt(workspace: AgentWorkspace) -> None:
    model = Held(workspace, Reply(status=503))
    async with workspace.working():
        run = await workspace.start()
        await model.asked.wait()
        assert (await workspace.owner.client.post(f"{workspace.url}/runs/{run}/cancel")).status_code == 200
        model.go.set()
        assert (await workspace.until(run))["status"] == "cancelled"
    assert await workspace.kinds(run) == ["queued", "started", "cancelled"]


async def test_a_run_whose_starter_leaves_as_the_model_fails_ends(workspace: AgentWorkspace) -> None:
    model = Held(workspace, Reply(status=503))
    person = await workspace.users.person()
    await workspace.users.join(workspace.project, person, "editor")
    body = {"agent": "assistant", "input": {"question": "?"}}
    async with workspace.working():
        run = str((await person.client.post(f"{workspace.url}/runs", json=body)).json()["id"])
        await model.asked.wait()
        await workspace.users.execute("DELETE FROM project_member WHERE account_id = $1", person.id)
        model.go.set()
        found = await workspace.until(run)
    assert code_of(found) == "right_lost"
    assert (
        await workspace.users.fetch("SELECT FROM job WHERE project_id = $1 AND kind = 'run_agent'", workspace.project)
        == []
    )
