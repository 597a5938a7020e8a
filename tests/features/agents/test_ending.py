"""A turn that ends while somebody wants the run to end, or while whoever started it leaves: nothing is left behind."""

from __future__ import annotations

import asyncio

import pytest

from partywall.features.agents import running
from tests.features.agents.bureau import Bureau, code_of
from tests.features.agents.model_server import Asked, Reply, calling


@pytest.fixture(autouse=True)
def unwatched(monkeypatch: pytest.MonkeyPatch) -> None:
    """The worker hears of it too late to break off."""
    monkeypatch.setattr(running, "WATCH_SECONDS", 60.0)


class Held:
    """A model that answers when it is told to."""

    def __init__(self, bureau: Bureau, reply: Reply) -> None:
        self.bureau = bureau
        self.reply = reply
        self.asked, self.go = asyncio.Event(), asyncio.Event()
        bureau.model.script = self.script

    async def script(self, _: Asked) -> Reply:
        self.asked.set()
        await self.go.wait()
        return self.reply


async def test_who_cancels_is_asked_for_no_decision(bureau: Bureau) -> None:
    model = Held(bureau, calling("publish", document_id=await bureau.document()))
    async with bureau.working():
        run = await bureau.start()
        await model.asked.wait()
        assert (await bureau.owner.client.post(f"{bureau.url}/runs/{run}/cancel")).status_code == 200
        model.go.set()
        found = await bureau.until(run, "waiting", "cancelled")
    assert (found["status"], found["pending"]) == ("cancelled", [])
    assert await bureau.kinds(run) == ["queued", "started", "usage", "cancelled"]


async def test_who_cancels_waits_for_no_further_attempt(bureau: Bureau) -> None:
    model = Held(bureau, Reply(status=503))
    async with bureau.working():
        run = await bureau.start()
        await model.asked.wait()
        assert (await bureau.owner.client.post(f"{bureau.url}/runs/{run}/cancel")).status_code == 200
        model.go.set()
        assert (await bureau.until(run))["status"] == "cancelled"
    assert await bureau.kinds(run) == ["queued", "started", "cancelled"]


async def test_a_run_whose_starter_leaves_as_its_model_fails_is_not_left_running(bureau: Bureau) -> None:
    model = Held(bureau, Reply(status=503))
    person = await bureau.people.person()
    await bureau.people.join(bureau.project, person, "editor")
    body = {"agent": "assistant", "input": {"question": "?"}}
    async with bureau.working():
        run = str((await person.client.post(f"{bureau.url}/runs", json=body)).json()["id"])
        await model.asked.wait()
        await bureau.people.execute("DELETE FROM project_member WHERE account_id = $1", person.id)
        model.go.set()
        found = await bureau.until(run)
    assert code_of(found) == "right_lost"
    assert (
        await bureau.people.fetch("SELECT FROM job WHERE project_id = $1 AND kind = 'run_agent'", bureau.project) == []
    )
