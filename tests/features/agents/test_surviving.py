"""Real worker processes, killed with -9 in the middle of what they do."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from contextlib import AsyncExitStack
from pathlib import Path

import pytest

from partywall.settings import Settings
from tests.features.agents.bureau import Bureau
from tests.features.agents.model_server import Asked, Reply, calling, final
from tests.serving import environment_of, program

pytestmark = pytest.mark.slow


class Workers:
    """`partywall worker` processes, one after the other."""

    def __init__(self, environment: dict[str, str], folder: Path, stack: AsyncExitStack) -> None:
        self._environment = environment
        self._folder = folder
        self._stack = stack
        self._started = 0

    @property
    def notes(self) -> list[str]:
        """What the tool with an effect outside the database has written: `key text`."""
        file = self._folder / "notes"
        return file.read_text().splitlines() if file.exists() else []

    async def start(self, *, pause: float = 0.0) -> asyncio.subprocess.Process:
        """Tools with effects wait this long after their effect."""
        self._started += 1
        environment = self._environment | {"ASSISTANT_PAUSE": str(pause)}
        log = self._folder / f"worker-{self._started}.log"
        return await self._stack.enter_async_context(program("worker", environment=environment, log=log))


@pytest.fixture
async def workers(settings: Settings, bureau: Bureau, tmp_path: Path) -> AsyncIterator[Workers]:
    environment = environment_of(settings) | {
        "AGENTS__MODEL": "openai:scripted",
        "AGENTS__BASE_URL": bureau.model.url,
        "AGENTS__MODULES": "tests.features.agents.assistant",
        "AGENTS__MODEL_RETRIES": "0",
        "JOBS__HEARTBEAT_TIMEOUT": "PT2S",
        "JOBS__POLL_INTERVAL": "PT0.5S",
        "ASSISTANT_NOTES": str(tmp_path / "notes"),
        "PYTHONPATH": str(Path(__file__).parents[3]),
    }
    async with AsyncExitStack() as stack:
        yield Workers(environment, tmp_path, stack)


async def kill(worker: asyncio.subprocess.Process) -> None:
    worker.kill()
    await worker.wait()


async def test_a_model_call_in_flight_is_made_again_and_no_other(bureau: Bureau, workers: Workers) -> None:
    document = await bureau.document("Contract", "Within ten days.")
    reached, hold = asyncio.Event(), asyncio.Event()

    async def script(asked: Asked) -> Reply:
        if not asked.tool_results:
            return calling("read", document_id=document)
        if reached.is_set():
            return final(answer="In ten days.", sources=[document])
        reached.set()
        return Reply(text="In ten", wait=hold)

    bureau.model.script = script
    run = await bureau.start()
    first = await workers.start()
    async with asyncio.timeout(40):
        await reached.wait()
    await asyncio.sleep(0.3)
    await kill(first)
    hold.set()
    await workers.start()
    found = await bureau.until(run, seconds=60)
    assert (found["status"], found["error"]) == ("succeeded", None)
    assert [len(asked.tool_results) for asked in bureau.model.asked] == [0, 1, 1]
    assert await bureau.kinds(run) == [
        "queued", "started", "usage", "tool_called", "tool_returned", "usage", "succeeded",
    ]  # fmt: skip
    steps = await bureau.people.fetch("SELECT attempts FROM run_step WHERE run_id::text = $1 ORDER BY started_at", run)
    assert [step["attempts"] for step in steps] == [1, 1, 2]


async def test_a_worker_that_is_told_to_stop_hands_its_run_over(bureau: Bureau, workers: Workers) -> None:
    """A deploy waits for no model."""
    reached, never = asyncio.Event(), asyncio.Event()

    async def script(_: Asked) -> Reply:
        if reached.is_set():
            return final(answer="Done.", sources=[])
        reached.set()
        return Reply(wait=never)

    bureau.model.script = script
    run = await bureau.start()
    first = await workers.start()
    async with asyncio.timeout(40):
        await reached.wait()
    first.terminate()
    async with asyncio.timeout(10):
        assert await first.wait() == 0
    assert (await bureau.get(run))["status"] == "queued"
    await workers.start()
    assert (await bureau.until(run, seconds=30))["status"] == "succeeded"


async def test_a_tool_in_flight_repeats_under_the_same_key(bureau: Bureau, workers: Workers) -> None:
    bureau.model.says(calling("note", text="sent"), final(answer="Sent.", sources=[]))
    run = await bureau.start()
    first = await workers.start(pause=60)
    async with asyncio.timeout(40):
        while not workers.notes:
            await asyncio.sleep(0.05)
    await kill(first)
    await workers.start()
    found = await bureau.until(run, seconds=60)
    assert found["status"] == "succeeded"
    assert len(bureau.model.asked) == 2
    assert len(workers.notes) == 2
    assert len(set(workers.notes)) == 1


async def test_an_effect_on_the_project_happens_once(bureau: Bureau, workers: Workers) -> None:
    """Killed between the commit of the effect and that of the step."""
    document = await bureau.document("Log", "first\n")
    bureau.model.says(calling("append", document_id=document, text="second"), final(answer="Done.", sources=[]))
    run = await bureau.start()
    first = await workers.start(pause=60)
    url = f"{bureau.url}/documents/{document}/content"
    async with asyncio.timeout(40):
        while "second" not in (await bureau.owner.client.get(url)).text:
            await asyncio.sleep(0.05)
    await kill(first)
    await workers.start()
    assert (await bureau.until(run, seconds=60))["status"] == "succeeded"
    assert (await bureau.owner.client.get(url)).text == "first\nsecond\n"
    assert await bureau.kinds(run) == [
        "queued", "started", "usage", "tool_called", "tool_returned", "usage", "succeeded",
    ]  # fmt: skip
