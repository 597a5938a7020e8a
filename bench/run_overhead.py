"""Overhead of a run over bare Pydantic AI with the same model and tools, and latency of its first token.
`make bench-runs`.
"""

from __future__ import annotations

import argparse
import asyncio
import os
import sys
import time
from asyncio.subprocess import PIPE, Process
from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from statistics import median
from typing import Any

import uvloop

from bench.processes import children_of, cpu_seconds, pin
from bench.readers import Reader
from bench.results import Result, p95, report
from bench.workspace import Workspace, open_workspace, stop
from tests.features.runs.model_server import Asked, Call, Reply, final

SERVER_CORE, OTHER_CORE = 0, 1
TARGET_STEP_MS, TARGET_TOKEN_MS = 15.0, 20.0
WARM_UP = 5
WORDS = "One moment, I shall look that up for you, it will not take long."
THINKS, SPEAKS = 0.03, 0.004  # seconds before the first word and between words
MAX_WAIT_SECONDS = 60.0


@dataclass(frozen=True, slots=True)
class Scale:
    """`calls`: model calls per run; each but the last is followed by a tool call."""

    pairs: int
    calls: int
    tokens: int

    @property
    def steps(self) -> int:
        return self.pairs * (2 * self.calls - 1)


FULL = Scale(pairs=40, calls=9, tokens=200)
SHORT = Scale(pairs=8, calls=5, tokens=40)


@dataclass(slots=True)
class Follower:
    """The client: reads the project's event stream during the benchmark."""

    seen: dict[str, dict[str, float]] = field(default_factory=dict)
    events: asyncio.Event = field(default_factory=asyncio.Event)

    def enter(self, body: dict[str, Any]) -> None:
        """Records the arrival of the first event of each type, by run."""
        now = time.perf_counter()
        self.seen.setdefault(body["subject"]["id"], {}).setdefault(body["type"], now)
        self.events.set()

    async def when(self, run: str, type_: str) -> float:
        async with asyncio.timeout(MAX_WAIT_SECONDS):
            while type_ not in self.seen.get(run, {}):
                assert "run.failed" not in self.seen.get(run, {}), "a run has failed"
                self.events.clear()
                await self.events.wait()
        return self.seen[run][type_]


@dataclass(frozen=True, slots=True)
class Steps:
    """Times of one run in milliseconds. `between` has, in order, the time from the end of each step to the start of
    the next: from the model's answer to the tool call, and from the tool's answer to the model call.
    """

    begun: float
    between: list[float]
    ended: float


def steps_of(asked: Sequence[Asked], started: float, done: float) -> Steps:
    """The tool returns the time of its call and takes no time."""
    tools = [float(each) for each in asked[-1].tool_results]
    ends = [each.times.ended or 0.0 for each in asked]
    between = [(tool - ends[number], asked[number + 1].times.asked - tool) for number, tool in enumerate(tools)]
    gaps = [1000 * gap for pair in between for gap in pair]
    return Steps(1000 * (asked[0].times.asked - started), gaps, 1000 * (done - ends[-1]))


@dataclass(frozen=True, slots=True)
class Bench:
    workspace: Workspace
    follower: Follower
    project: str
    bare: Process
    worker: int

    async def run(self, task: str) -> tuple[str, float, float]:
        """Returns the run's id and when it was requested and its end received by the client."""
        started = time.perf_counter()
        run = await self.workspace.start_run(self.project, task)
        return run, started, await self.follower.when(run, "run.succeeded")

    async def run_bare(self, task: str) -> tuple[float, float]:
        assert self.bare.stdin is not None
        assert self.bare.stdout is not None
        started = time.perf_counter()
        self.bare.stdin.write(f"{task}\n".encode())
        async with asyncio.timeout(MAX_WAIT_SECONDS):
            answer = await self.bare.stdout.readline()
        assert answer.strip() == b"Done.", answer
        return started, time.perf_counter()

    async def pair(self, calls: int) -> tuple[Steps, Steps]:
        """Measures a run, and then the same run without Partywall."""
        model = self.workspace.model
        model.script = looking(calls)
        model.asked.clear()
        _, started, done = await self.run("Look.")
        ours = steps_of(model.asked, started, done)
        model.asked.clear()
        bare = steps_of(model.asked, *(await self.run_bare("Look.")))
        assert len(ours.between) == len(bare.between) == 2 * (calls - 1)
        return ours, bare

    def used(self) -> tuple[float, float, float]:
        """CPU-seconds so far of the worker, the database and the bare agent."""
        postgres = self.workspace.deployment.postgres_pid
        database = sum(cpu_seconds(pid) for pid in (postgres, *children_of(postgres)))
        return cpu_seconds(self.worker), database, cpu_seconds(self.bare.pid)

    async def first_token(self, *, as_output: bool) -> float:
        """Milliseconds from the model's first word to its arrival at the client."""
        model = self.workspace.model
        words = "" if as_output else WORDS
        model.says(Reply(words, final(report=f"Done. {WORDS}").calls, pause=SPEAKS))
        run, _, _ = await self.run("Speak.")
        [asked] = model.asked
        assert asked.times.first is not None
        return 1000 * (await self.follower.when(run, "run.token") - asked.times.first)


def looking(calls: int) -> Any:  # noqa: ANN401 - a script
    """A script that calls the tool `look` `calls - 1` times, each after some words, and then finishes."""

    async def script(asked: Asked) -> Reply:
        await asyncio.sleep(THINKS)
        if len(asked.tool_results) < calls - 1:
            return Reply(WORDS, [Call("look", {})], pause=SPEAKS)
        return Reply(WORDS, final(report="Done.").calls, pause=SPEAKS)

    return script


async def measure(bench: Bench, scale: Scale) -> list[Result]:
    for _ in range(WARM_UP):
        await bench.pair(scale.calls)
    before = bench.used()
    pairs = [await bench.pair(scale.calls) for _ in range(scale.pairs)]
    used = [(now - then) * 1000 / scale.steps for then, now in zip(before, bench.used(), strict=True)]
    tokens = [await bench.first_token(as_output=number % 2 == 1) for number in range(scale.tokens)]
    return [step_result(pairs), used_result(used), *other_results(pairs), token_result(tokens)]


def step_result(pairs: Sequence[tuple[Steps, Steps]]) -> Result:
    """Each step of a run minus the same step of the bare run."""
    extra = sorted(a - b for ours, bare in pairs for a, b in zip(ours.between, bare.between, strict=True))
    ours = sorted(gap for each, _ in pairs for gap in each.between)
    bare = sorted(gap for _, each in pairs for gap in each.between)
    measured = (
        f"p50 {median(extra):.1f} ms, p95 {p95(extra):.1f} ms over {len(extra)} steps; "
        f"ours p50 {median(ours):.1f}, p95 {p95(ours):.1f}, bare p50 {median(bare):.1f}, p95 {p95(bare):.1f}"
    )
    return Result("overhead of a step", measured, f"p95 {TARGET_STEP_MS:.0f} ms", p95(extra) <= TARGET_STEP_MS)


def used_result(used: Sequence[float]) -> Result:
    worker, database, bare = used
    measured = f"worker {worker:.1f} ms, database {database:.1f} ms; bare {bare:.1f} ms"
    return Result("CPU of a step, including the model's text", measured, "none", None)


def other_results(pairs: Sequence[tuple[Steps, Steps]]) -> list[Result]:
    begun, ended = sorted(ours.begun for ours, _ in pairs), sorted(ours.ended for ours, _ in pairs)
    return [
        Result(name, f"p50 {median(taken):.1f} ms, p95 {p95(taken):.1f} ms over {len(taken)} runs", "none", None)
        for name, taken in (("from POST to the first model call", begun), ("last answer to the client's end", ended))
    ]


def token_result(taken: list[float]) -> Result:
    taken.sort()
    measured = f"p50 {median(taken):.1f} ms, p95 {p95(taken):.1f} ms over {len(taken)} runs"
    return Result("first token at the client", measured, f"p95 {TARGET_TOKEN_MS:.0f} ms", p95(taken) <= TARGET_TOKEN_MS)


@asynccontextmanager
async def bare_agent(url: str) -> AsyncIterator[Process]:
    command = ("taskset", "-c", str(SERVER_CORE), sys.executable, "-m", "bench.bare_agent", url)
    process = await asyncio.create_subprocess_exec(*command, stdin=PIPE, stdout=PIPE)
    try:
        yield process
    finally:
        if process.returncode is None:
            process.terminate()
        await process.wait()


async def run(options: argparse.Namespace) -> bool:
    scale = SHORT if options.short else FULL
    pin(0, OTHER_CORE)
    async with open_workspace(SERVER_CORE, OTHER_CORE) as workspace, bare_agent(workspace.model.url) as bare:
        project = await workspace.project("Runs")
        worker = workspace.start_worker(1, SERVER_CORE)
        follower = Follower()
        reader = Reader(workspace.port, project, workspace.token, seen=follower.enter)
        following = asyncio.create_task(reader.run())
        try:
            results = await measure(Bench(workspace, follower, project, bare, worker.pid), scale)
        finally:
            following.cancel()
            await stop(worker)
    report("run_overhead", results)
    return all(each.met is not False for each in results)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--short", action="store_true", help="fewer runs, in half a minute")
    options = parser.parse_args()
    if (os.cpu_count() or 1) < 2:
        sys.exit("two cores are needed: one for the servers, one for everything else")
    sys.exit(0 if uvloop.run(run(options)) else 1)


if __name__ == "__main__":
    main()
