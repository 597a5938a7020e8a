"""A worker that was silent for too long has lost its run to another, whatever it still does."""

from __future__ import annotations

import asyncio
from uuid import uuid4

import pytest
from structlog.testing import capture_logs

from tests.features.agents.bureau import Bureau
from tests.features.agents.model_server import Asked, Call, Reply, final


async def steal(bureau: Bureau) -> None:
    """As another worker does it when the heartbeats stay away; this one never works."""
    stolen = await bureau.people.execute(
        "UPDATE job SET lease = $1 WHERE kind = 'run_agent' AND state = 'running'", uuid4()
    )
    assert stolen == "UPDATE 1"


async def die(bureau: Bureau) -> None:
    """The other one is silent in its turn; its job must still be there."""
    silent = await bureau.people.execute(
        "UPDATE job SET heartbeat_at = now() - interval '1 hour' WHERE kind = 'run_agent' AND state = 'running'"
    )
    assert silent == "UPDATE 1"


@pytest.mark.parametrize("held", ["model", "words", "tool"])
async def test_who_has_lost_a_run_writes_nothing_more_and_another_goes_on(bureau: Bureau, held: str) -> None:
    document = await bureau.document("Log", "first\n")
    reached, lost = asyncio.Event(), asyncio.Event()

    async def script(asked: Asked) -> Reply:
        if asked.tool_results:
            return final(answer="Done.", sources=[])
        if not reached.is_set():
            reached.set()
            await lost.wait()
        text = "" if held == "model" else "One moment."
        return Reply(text, [Call("append", {"document_id": document, "text": "second"})])

    bureau.model.script = script
    with capture_logs() as logs:
        async with bureau.working():
            run = await bureau.start()
            async with asyncio.timeout(60):
                await reached.wait()
                before = await bureau.events(run)
                await steal(bureau)
                lost.set()
                while "lease_lost" not in {entry["event"] for entry in logs}:
                    await asyncio.sleep(0.02)
            await asyncio.sleep(0.3)
            assert await bureau.events(run) == before
            await die(bureau)
            assert (await bureau.until(run))["status"] == "succeeded"
    assert [len(asked.tool_results) for asked in bureau.model.asked] == [0, 0, 1]
    content = await bureau.owner.client.get(f"{bureau.url}/documents/{document}/content")
    assert content.text == "first\nsecond\n"
    assert await bureau.kinds(run) == [
        "queued", "started", "usage", "tool_called", "tool_returned", "usage", "succeeded",
    ]  # fmt: skip
