from __future__ import annotations

import asyncio

import pytest
import structlog

from tests.features.agents.bureau import Bureau
from tests.features.agents.model_server import Asked, Reply, final


async def cancel(bureau: Bureau, run: str) -> int:
    return (await bureau.owner.client.post(f"{bureau.url}/runs/{run}/cancel")).status_code


async def until_asked(bureau: Bureau) -> None:
    async with asyncio.timeout(60):
        while not bureau.model.asked:
            await asyncio.sleep(0.02)


async def test_a_run_that_nobody_works_on_ends_at_once(bureau: Bureau) -> None:
    run = await bureau.start()
    assert await cancel(bureau, run) == 200
    found = await bureau.get(run)
    assert (found["status"], found["finished_at"] is not None) == ("cancelled", True)
    assert await bureau.kinds(run) == ["queued", "cancelled"]
    again = await bureau.owner.client.post(f"{bureau.url}/runs/{run}/cancel")
    assert (again.status_code, again.json()["detail"]) == (409, "The run is cancelled already.")
    bureau.model.says(final(answer="Another.", sources=[]))
    await bureau.run()
    assert await bureau.kinds(run) == ["queued", "cancelled"]


@pytest.mark.parametrize("streamed", [True, False])
async def test_a_running_model_call_is_stopped(bureau: Bureau, streamed: bool) -> None:
    never = asyncio.Event()
    bureau.model.says(Reply(text="One moment." if streamed else "", wait=never))
    with structlog.testing.capture_logs() as logs:
        run = await stopped_run(bureau)
    assert (await bureau.get(run))["status"] == "cancelled"
    assert (await bureau.kinds(run))[-1] == "cancelled"
    assert [log["outcome"] for log in logs if log["event"] == "run_ended"] == ["cancelled"]
    assert [log for log in logs if log["log_level"] in ("warning", "error")] == []


async def stopped_run(bureau: Bureau) -> str:
    """Cancelled while the model is silent, as it would be for ever."""
    async with bureau.working():
        run = await bureau.start()
        await until_asked(bureau)
        assert await cancel(bureau, run) == 200
        await bureau.until(run)
        async with asyncio.timeout(60):
            while not bureau.model.broken_off:
                await asyncio.sleep(0.02)
    return run


async def test_another_run_takes_the_place(bureau: Bureau) -> None:
    """Of a project with all its places taken."""
    hold = asyncio.Event()

    async def script(asked: Asked) -> Reply:
        if "wait" in asked.prompt:
            await hold.wait()
        return final(answer="Done.", sources=[])

    bureau.model.script = script
    places = bureau.resources.settings.agents.concurrency_per_project
    async with bureau.working():
        held = [await bureau.start("wait") for _ in range(places)]
        behind = await bureau.start("quick")
        await asyncio.sleep(1)
        assert (await bureau.get(behind))["status"] == "queued"
        await cancel(bureau, held[0])
        assert (await bureau.until(behind))["status"] == "succeeded"
        hold.set()
        for run in held[1:]:
            assert (await bureau.until(run))["status"] == "succeeded"
