from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator

import httpx2
import pytest

from partywall.settings import Settings
from tests.features.live.server import Serving, serve
from tests.features.live.sse import Stream
from tests.features.runs.agent_workspace import AgentWorkspace
from tests.features.runs.model_server import Reply, final

MAX_WAIT = httpx2.Timeout(60.0)


@pytest.fixture(scope="module")
async def server(settings: Settings) -> AsyncIterator[Serving]:
    async with serve(settings) as serving:
        yield serving


async def test_a_runs_stream_holds_its_own_events_alone(workspace: AgentWorkspace, server: Serving) -> None:
    workspace.model.says(Reply(text="One moment.", calls=final(answer="Soon.", sources=[]).calls, pause=0.02))
    run, other = await workspace.start(), await workspace.start()
    headers = {"Authorization": f"Bearer {workspace.owner.token}"}
    async with (
        workspace.working(),
        httpx2.AsyncClient(base_url=server.url, timeout=MAX_WAIT, headers=headers) as client,
        client.stream("GET", f"{workspace.url}/runs/{run}/events", params={"after": 0}) as response,
        asyncio.timeout(60),
    ):
        seen = []
        async for event in Stream(response):
            assert event.data["subject"] == {"kind": "run", "id": run}
            seen.append(event)
            if event.event == "run.succeeded":
                break
        await workspace.until(other)
    assert [event.id for event in seen] == sorted({event.id for event in seen})
    assert [event.event.removeprefix("run.") for event in seen] == [kind for kind, _ in await workspace.events(run)]
    assert seen[0].event == "run.queued"


async def test_a_ticket_opens_the_stream_once(workspace: AgentWorkspace, server: Serving) -> None:
    run = await workspace.start()
    ticket = (await workspace.owner.client.post(f"{workspace.url}/events/ticket")).json()["ticket"]
    params: dict[str, str | int] = {"ticket": ticket, "after": 0}
    async with httpx2.AsyncClient(base_url=server.url, timeout=MAX_WAIT) as client:
        async with client.stream("GET", f"{workspace.url}/runs/{run}/events", params=params) as response:
            assert (await Stream(response).next()).event == "run.queued"
        again = await client.get(f"{workspace.url}/runs/{run}/events", params=params)
        assert again.status_code == 401


async def test_the_stream_goes_on_behind_an_event(workspace: AgentWorkspace, server: Serving) -> None:
    workspace.model.says(final(answer="Soon.", sources=[]))
    run = await workspace.run()
    rows = await workspace.users.fetch("SELECT id FROM event WHERE subject_id = $1 ORDER BY id", run["id"])
    headers = {"Authorization": f"Bearer {workspace.owner.token}", "Last-Event-ID": str(rows[1]["id"])}
    async with (
        httpx2.AsyncClient(base_url=server.url, timeout=MAX_WAIT, headers=headers) as client,
        client.stream("GET", f"{workspace.url}/runs/{run['id']}/events") as response,
        asyncio.timeout(60),
    ):
        stream = Stream(response)
        assert [event.id for event in await stream.take(len(rows) - 2)] == [row["id"] for row in rows[2:]]
