"""Kills workers during runs and checks that all runs end, no finished step is repeated, every effect happens once, and
every event stream is complete. `make bench-survival`.
"""

from __future__ import annotations

import argparse
import asyncio
import random
import signal
import subprocess
import sys
import time
from collections.abc import Sequence
from dataclasses import dataclass, field

import uvloop

from bench.agent_tasks import Plan, plan_of
from bench.readers import Reader
from bench.results import report
from bench.run_ledger import RunRecords, judge, read_records
from bench.workspace import OUTBOX, Workspace, open_workspace, stop
from tests.features.runs.model_server import Asked, Reply

SEED = 11
HEARTBEAT = "PT3S"
DROP_SECONDS = 0.5
ENDING_SECONDS = 300.0


@dataclass(frozen=True, slots=True)
class Scale:
    """While runs are active, a worker is killed at random intervals between the two of `kill_every`, in seconds."""

    runs: int
    projects: int
    workers: int
    seconds: float
    kill_every: tuple[float, float]


FULL = Scale(runs=200, projects=10, workers=3, seconds=90, kill_every=(2.5, 6.5))
SHORT = Scale(runs=20, projects=4, workers=2, seconds=10, kill_every=(2.0, 4.0))


@dataclass(slots=True)
class WorkerPool:
    """Workers that are killed and restarted until `stopping` is set."""

    workspace: Workspace
    size: int
    chance: random.Random
    stopping: asyncio.Event = field(default_factory=asyncio.Event)
    kills: list[float] = field(default_factory=list)
    started: int = 0
    _workers: list[subprocess.Popen[bytes]] = field(default_factory=list)

    def open(self) -> None:
        self._workers = [self._start() for _ in range(self.size)]

    async def kill(self, every: tuple[float, float]) -> None:
        while await self._goes_on(self.chance.uniform(*every)):
            chosen = self.chance.randrange(self.size)
            self._workers[chosen].send_signal(signal.SIGKILL)
            self.kills.append(time.time())
            await asyncio.to_thread(self._workers[chosen].wait)
            self._workers[chosen] = self._start()

    async def close(self) -> None:
        await asyncio.gather(*(stop(each) for each in self._workers))

    def _start(self) -> subprocess.Popen[bytes]:
        self.started += 1
        return self.workspace.start_worker(self.started)

    async def _goes_on(self, seconds: float) -> bool:
        try:
            async with asyncio.timeout(seconds):
                await self.stopping.wait()
        except TimeoutError:
            return True
        return False


@dataclass(frozen=True, slots=True)
class Model:
    """Answers each run by its plan and records every call: its task, the number of tool results and the time."""

    plans: dict[str, Plan]
    chance: random.Random
    asked: list[tuple[str, int, float]] = field(default_factory=list)

    async def script(self, asked: Asked) -> Reply:
        plan = self.plans[asked.prompt]
        at = len(asked.tool_results)
        self.asked.append((asked.prompt, at, time.time()))
        await asyncio.sleep(self.chance.uniform(0.0, 0.4))
        return plan.reply(at, pause=self.chance.uniform(0.0, 0.04))


async def start_runs(workspace: Workspace, projects: Sequence[str], model: Model, scale: Scale, seconds: float) -> None:
    """Starts runs at an even rate, in each project in turn; each run has its own document."""
    begun = time.perf_counter()
    for number in range(scale.runs):
        project = projects[number % len(projects)]
        document = await workspace.document(project, f"Document {number}")
        plan = plan_of(number, project, document, model.chance)
        model.plans[plan.task] = plan
        plan.run = await workspace.start_run(project, plan.task)
        await asyncio.sleep(max(0.0, begun + seconds * (number + 1) / scale.runs - time.perf_counter()))


async def until_over(workspace: Workspace, plans: Sequence[Plan]) -> bool:
    try:
        async with asyncio.timeout(ENDING_SECONDS):
            while await workspace.count("SELECT count(*) FROM run WHERE finished_at IS NULL"):  # noqa: ASYNC110
                await asyncio.sleep(0.3)
    except TimeoutError:
        return False
    return len(plans) > 0


async def drop_connections(followers: Sequence[Reader], chance: random.Random) -> None:
    while True:
        await asyncio.sleep(DROP_SECONDS)
        chance.choice(followers).drop()


async def work(workspace: Workspace, scale: Scale, seed: int) -> tuple[RunRecords, WorkerPool]:
    chance = random.Random(seed)
    model = Model({}, random.Random(seed + 1))
    workspace.model.script = model.script
    projects = [await workspace.project(f"Project {number}") for number in range(scale.projects)]
    followers = [Reader(workspace.port, project, workspace.token) for project in projects]
    pool = WorkerPool(workspace, scale.workers, chance)
    async with asyncio.TaskGroup() as group:
        reading = [group.create_task(each.run()) for each in followers]
        reading.append(group.create_task(drop_connections(followers, random.Random(seed + 2))))
        pool.open()
        killing = group.create_task(pool.kill(scale.kill_every))
        await start_runs(workspace, projects, model, scale, scale.seconds)
        ended = await until_over(workspace, list(model.plans.values()))
        pool.stopping.set()
        await killing
        records = await read_records(workspace, model.plans, model.asked, followers, all_ended=ended)
        for each in reading:
            each.cancel()
    await pool.close()
    return records, pool


async def run(options: argparse.Namespace) -> bool:
    scale = SHORT if options.short else FULL
    # One account owns all projects, so it may use every slot.
    limits = {
        "AGENTS__CONCURRENCY": "12",
        "AGENTS__CONCURRENCY_PER_ACCOUNT": "2000",
        "AGENTS__OPEN_RUNS_PER_ACCOUNT": "9999",
    }
    environment = {"JOBS__HEARTBEAT_TIMEOUT": HEARTBEAT, "AGENTS__MAX_ATTEMPTS": "10", **limits}
    async with open_workspace(0, 1, **environment) as workspace:
        workspace.deployment.environment["BENCH_OUTBOX"] = str(workspace.deployment.directory / OUTBOX)
        records, pool = await work(workspace, scale, options.seed)
    print(f"{len(pool.kills)} kills of {scale.workers} workers, {pool.started} starts, seed {options.seed}")
    results = judge(records, len(pool.kills))
    report("run_survival", results)
    return all(each.met is not False for each in results)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--short", action="store_true", help="20 runs, in half a minute")
    parser.add_argument("--seed", type=int, default=SEED)
    sys.exit(0 if uvloop.run(run(parser.parse_args())) else 1)


if __name__ == "__main__":
    main()
