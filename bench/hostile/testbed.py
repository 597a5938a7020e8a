"""Runs attacks one after another beside the deployment, the honest client and the monitor."""

from __future__ import annotations

import asyncio
import json
import sys
import time
from asyncio.subprocess import PIPE
from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass, replace
from pathlib import Path

import httpx2

from bench.hostile import report
from bench.hostile.attack import Attack
from bench.hostile.deployment import Deployment, deployment
from bench.hostile.monitor import Monitor
from bench.hostile.normal_traffic import DUE, KEEP_ALIVE_SECONDS, MAX_WAIT_SECONDS, Honest, Sample
from bench.hostile.report import Round

WARM_UP_SECONDS = 8.0
SETTLE_SECONDS = 0.2
PREPARATION_SECONDS = 40.0
RECOVERY_SECONDS = 10.0
AFTER_SECONDS = 5.0
NICENESS = "15"


@dataclass(slots=True)
class Bench:
    """The parts of a benchmark. `idle` is the memory in MB before the first attack."""

    deployed: Deployment
    honest: Honest
    monitor: Monitor
    idle: dict[str, float]

    async def attack(self, number: int, attack: Attack, seconds: float) -> Round:
        self.monitor.reset()
        restarts, began = self.monitor.restarts, time.monotonic()
        result = await self._made(number, attack, seconds)
        took = time.monotonic() - began
        await asyncio.sleep(SETTLE_SECONDS)
        samples = await self.honest.settled(began)
        counts, cpu, error = result.get("counts"), result.get("cpu"), result.get("error")
        assert isinstance(counts, dict)
        assert isinstance(cpu, float)
        above = {part: peak - self.idle[part] for part, peak in self.monitor.finish().items()}
        reason = None if error is None else str(error)
        restarted = self.monitor.restarts - restarts
        return Round(attack, began, time.monotonic(), counts, samples, above, cpu / took, reason, restarted)

    async def _made(self, number: int, attack: Attack, seconds: float) -> dict[str, object]:
        """Runs the attack in a process with lower priority than everything measured."""
        network = f"127.66.{number}"
        command = ("nice", "-n", NICENESS, sys.executable, "-m", "bench.hostile.attacker")
        process = await asyncio.create_subprocess_exec(
            *command, attack.name, str(self.deployed.port), network, str(seconds), stdout=PIPE, stderr=PIPE
        )
        try:
            async with asyncio.timeout(seconds + PREPARATION_SECONDS):
                output, errors = await process.communicate()
        except TimeoutError:
            process.kill()
            await process.wait()
            return {"counts": {}, "cpu": 0.0, "error": "did not end in time"}
        if process.returncode:
            return {"counts": {}, "cpu": 0.0, "error": errors.decode()[-600:]}
        found: dict[str, object] = json.loads(output)
        return found

    async def recovered(self) -> tuple[list[Sample], list[str]]:
        """Waits ten seconds after the last attack; returns samples and faults from then on."""
        await asyncio.sleep(RECOVERY_SECONDS)
        self.monitor.reset()
        began = time.monotonic()
        await asyncio.sleep(AFTER_SECONDS)
        ended = time.monotonic()
        await self.honest.settled(began)
        await self.caught_up(ended)
        samples = self.honest.between(began, ended)
        late = self.honest.awaited(ended)
        wrong = [*report.faults_in(samples), *(f"{count} x honest {what} missing" for what, count in late.items())]
        above = {part: value - self.idle[part] for part, value in self.monitor.finish().items()}
        wrong += [f"{part} {value:.0f} MB above idle" for part, value in above.items() if value > report.MOST_MB[part]]
        return samples, wrong

    async def caught_up(self, until: float) -> None:
        """Waits for the effects of earlier requests, as long as a run may take."""
        deadline = time.monotonic() + DUE["run"]
        while self.honest.awaited(until) and time.monotonic() < deadline:  # noqa: ASYNC110 - waits for many events
            await asyncio.sleep(0.1)

    def attributed(self, rounds: Sequence[Round]) -> list[Round]:
        """Returns the rounds with late samples assigned to the round of their request."""
        self.honest.give_up_waiting(0)
        return [replace(each, samples=self.honest.between(each.began, each.ended)) for each in rounds]


@asynccontextmanager
async def open_bench(log: Path | None = None, *, warm_up: float = WARM_UP_SECONDS) -> AsyncIterator[Bench]:
    async with deployment(log) as deployed:
        limits = httpx2.Limits(keepalive_expiry=KEEP_ALIVE_SECONDS)
        url = f"http://127.0.0.1:{deployed.port}"
        async with httpx2.AsyncClient(base_url=url, timeout=MAX_WAIT_SECONDS, limits=limits) as client:
            honest, monitor = Honest(deployed.port, client), Monitor(deployed.pid)
            await honest.set_up()
            tasks = [asyncio.create_task(honest.run()), asyncio.create_task(monitor.run())]
            try:
                await asyncio.sleep(warm_up)
                yield Bench(deployed, honest, monitor, monitor.sample())
            finally:
                for task in tasks:
                    task.cancel()
                await asyncio.gather(*tasks, return_exceptions=True)
