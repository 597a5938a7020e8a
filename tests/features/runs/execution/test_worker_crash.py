"""Real worker processes, killed with SIGKILL at work."""

from __future__ import annotations

import asyncio
import os
from collections.abc import AsyncIterator
from contextlib import AsyncExitStack, asynccontextmanager
from pathlib import Path

import pytest

from partywall.settings import Settings
from tests.features.runs.agent_workspace import AgentWorkspace, code_of
from tests.features.runs.model_server import Asked, ModelServer, Reply, calling, final
from tests.server import environment_of, program

pytestmark = pytest.mark.slow


PAUSE = 60.0  # longer than any test: a tool in this pause stays in flight until its worker dies


class Workers:
    """`partywall worker` processes, one after the other."""

    def __init__(self, environment: dict[str, str], folder: Path, stack: AsyncExitStack) -> None:
        self._environment = environment
        self._folder = folder
        self._stack = stack
        self._started = 0
        self._running: asyncio.subprocess.Process | None = None

    @property
    def notes(self) -> list[str]:
        """The lines `key text` that the `note` tool has written outside the database."""
        file = self._folder / "notes"
        return file.read_text().splitlines() if file.exists() else []

    async def start(self, *, pause: float = 0.0, max_attempts: int = 5) -> asyncio.subprocess.Process:
        """Starts a worker whose tools wait `pause` seconds after their effect."""
        self._started += 1
        environment = self._environment | {
            "ASSISTANT_PAUSE": str(pause),
            "AGENTS__MAX_ATTEMPTS": str(max_attempts),
        }
        log = self._folder / f"worker-{self._started}.log"
        self._running = await self._stack.enter_async_context(program("worker", environment=environment, log=log))
        return self._running

    async def running(self) -> asyncio.subprocess.Process:
        """The running worker, or a new one."""
        if self._running is None or self._running.returncode is not None:
            return await self.start()
        return self._running


@pytest.fixture(scope="module")
async def workers(
    settings: Settings, shared_model: ModelServer, tmp_path_factory: pytest.TempPathFactory
) -> AsyncIterator[Workers]:
    folder, deployment = tmp_path_factory.mktemp("workers"), Path(__file__).parents[4]
    environment = environment_of(settings) | {
        "AGENTS__MODEL": "openai:scripted",
        "AGENTS__BASE_URL": shared_model.url,
        "AGENTS__MODULES": "tests.features.runs.assistant",
        "AGENTS__MODEL_RETRIES": "0",
        "JOBS__HEARTBEAT_TIMEOUT": "PT2S",
        "JOBS__POLL_INTERVAL": "PT0.5S",
        "ASSISTANT_NOTES": str(folder / "notes"),
        "PYTHONPATH": os.pathsep.join([str(deployment), str(deployment / "src")]),
    }
    async with AsyncExitStack() as stack:
        yield Workers(environment, folder, stack)


STORY = ["queued", "started", "usage", "tool_called", "tool_returned", "usage", "succeeded"]


async def test_only_work_in_flight_is_repeated_after_a_worker_is_killed(
    workspace: AgentWorkspace, workers: Workers
) -> None:
    """In a model call, after an external effect, and between the commits of a database effect and its step."""
    contract = await workspace.document("Contract", "Within ten days.")
    journal = await workspace.document("Log", "first\n")
    tools = {
        "model": calling("read", document_id=contract),
        "elsewhere": calling("note", text="sent"),
        "here": calling("append", document_id=journal, text="second"),
    }
    reached, hold = asyncio.Event(), asyncio.Event()

    async def script(asked: Asked) -> Reply:
        if not asked.tool_results:
            return tools[asked.prompt]
        if asked.prompt != "model" or reached.is_set():
            return final(answer="In ten days.", sources=[])
        reached.set()
        return Reply(text="In ten", wait=hold)

    workspace.model.script = script
    runs = {question: await workspace.start(question) for question in tools}
    first = await workers.start(pause=PAUSE)
    content = f"{workspace.url}/documents/{journal}/content"
    async with asyncio.timeout(180):
        await reached.wait()
        while not workers.notes or "second" not in (await workspace.owner.client.get(content)).text:
            await asyncio.sleep(0.05)
        while "token" not in {kind for kind, _ in await workspace.events(runs["model"])}:
            await asyncio.sleep(0.05)
    first.kill()
    await first.wait()
    hold.set()
    await workers.start()
    for question, run in runs.items():
        found = await workspace.until(run)
        assert (found["status"], found["error"]) == ("succeeded", None), question
        assert await workspace.kinds(run) == STORY, question
    await _only_what_was_in_flight(workspace, runs)
    assert len(workers.notes) == 2
    assert len(set(workers.notes)) == 1, "the repeated call must have the same key"
    assert (await workspace.owner.client.get(content)).text == "first\nsecond\n"


async def _only_what_was_in_flight(workspace: AgentWorkspace, runs: dict[str, str]) -> None:
    asked = {
        question: [len(a.tool_results) for a in workspace.model.asked if a.prompt == question] for question in runs
    }
    assert asked == {"model": [0, 1, 1], "elsewhere": [0, 1], "here": [0, 1]}
    steps = await workspace.users.fetch(
        "SELECT run_id, array_agg(attempts ORDER BY started_at) AS attempts FROM run_step"
        " WHERE run_id::text = ANY($1) GROUP BY run_id", list(runs.values()),
    )  # fmt: skip
    attempts = {str(step["run_id"]): step["attempts"] for step in steps}
    assert attempts == {runs["model"]: [1, 1, 2], runs["elsewhere"]: [1, 2, 1], runs["here"]: [1, 2, 1]}


async def test_a_worker_that_is_told_to_stop_hands_its_run_over(workspace: AgentWorkspace, workers: Workers) -> None:
    """A deployment does not wait for a model."""
    reached, never = asyncio.Event(), asyncio.Event()

    async def script(_: Asked) -> Reply:
        if reached.is_set():
            return final(answer="Done.", sources=[])
        reached.set()
        return Reply(wait=never)

    workspace.model.script = script
    worker = await workers.running()
    run = await workspace.start()
    async with asyncio.timeout(180):
        await reached.wait()
    worker.terminate()
    async with asyncio.timeout(180):
        assert await worker.wait() == 0
    assert (await workspace.get(run))["status"] == "queued"
    await workers.start()
    assert (await workspace.until(run))["status"] == "succeeded"


@pytest.mark.soak
async def test_a_run_that_kills_its_worker_takes_no_other_with_it(workspace: AgentWorkspace, workers: Workers) -> None:
    """The other runs are in progress at its first crash and would be each time if all restarted together."""
    names = ["one", "two", "three"]
    at_work, hold = {name: asyncio.Event() for name in names}, asyncio.Event()

    async def script(asked: Asked) -> Reply:
        if asked.prompt == "poison":
            return calling("crash")
        if not at_work[asked.prompt].is_set():
            at_work[asked.prompt].set()
            return Reply(wait=hold)
        return Reply(calls=final(answer="Done.", sources=[]).calls, pause=0.3)

    workspace.model.script = script
    async with _always_at_work(workers, max_attempts=3):
        others = {name: await workspace.start(name) for name in names}
        async with asyncio.timeout(180):
            await asyncio.gather(*(event.wait() for event in at_work.values()))
        poison = await workspace.start("poison")
        # Four workers die first, one after the other; starting them is slow on a busy machine.
        assert code_of(await workspace.until(poison, seconds=900)) == "run_abandoned"
        for name, run in others.items():
            found = await workspace.until(run)
            assert (found["status"], found["error"]) == ("succeeded", None), name
    hold.set()
    asked = [asked.prompt for asked in workspace.model.asked]
    assert asked.count("poison") == 1
    assert sum(map(asked.count, names)) <= 2 * len(names) + 1, "each may be lost once, and one of them twice"


@asynccontextmanager
async def _always_at_work(workers: Workers, max_attempts: int) -> AsyncIterator[None]:
    """Starts another worker whenever one dies."""

    async def replace() -> None:
        while True:
            worker = await workers.start(max_attempts=max_attempts)
            await worker.wait()

    running = await workers.running()
    running.terminate()
    await running.wait()
    async with asyncio.TaskGroup() as group:
        replacing = group.create_task(replace())
        try:
            yield
        finally:
            replacing.cancel()
