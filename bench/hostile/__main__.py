"""Hostile requests of every kind, one kind after another, beside an honest client. `make bench-hostile`.

Exits with 1 where an honest request took more than a second or failed, the API or the worker took more than 150 MB
above idle, or not everything was normal ten seconds after the last attack.
"""

from __future__ import annotations

import argparse
import asyncio
import json
import sys
import time
from asyncio.subprocess import PIPE
from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass, replace
from pathlib import Path

import httpx

from bench import machine
from bench.hostile import report
from bench.hostile.attack import POINTS, Attack
from bench.hostile.attacks import ATTACKS
from bench.hostile.deployment import Deployment, deployment
from bench.hostile.honest import DUE, PATIENCE_SECONDS, Honest, Sample
from bench.hostile.monitor import Monitor
from bench.hostile.report import Round

TOTAL_SECONDS = 300.0
AROUND_SECONDS = 45.0  # start, warm-up, recovery
OVERHEAD_SECONDS = 0.8  # of each attack: its process, its account and project
WARM_UP_SECONDS = 8.0
SETTLE_SECONDS = 0.2
PREPARATION_SECONDS = 40.0
RECOVERY_SECONDS = 10.0
AFTER_SECONDS = 5.0
NICENESS = "15"


@dataclass(slots=True)
class Field:
    """Everything that is measured at once. `idle` is memory in MB before the first attack."""

    deployed: Deployment
    honest: Honest
    monitor: Monitor
    idle: dict[str, float]

    async def attack(self, number: int, attack: Attack, seconds: float) -> Round:
        self.monitor.reset()
        restarts, began = self.monitor.restarts, time.monotonic()
        told = await self._made(number, attack, seconds)
        took = time.monotonic() - began
        await asyncio.sleep(SETTLE_SECONDS)
        samples = await self.honest.settled(began)
        counts, cpu, error = told.get("counts"), told.get("cpu"), told.get("error")
        assert isinstance(counts, dict)
        assert isinstance(cpu, float)
        above = {part: peak - self.idle[part] for part, peak in self.monitor.finish().items()}
        reason = None if error is None else str(error)
        restarted = self.monitor.restarts - restarts
        return Round(attack, began, time.monotonic(), counts, samples, above, cpu / took, reason, restarted)

    async def _made(self, number: int, attack: Attack, seconds: float) -> dict[str, object]:
        """In a process of its own, below the priority of everything that is measured."""
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
            return {"counts": {}, "cpu": 0.0, "error": "it did not end"}
        if process.returncode:
            return {"counts": {}, "cpu": 0.0, "error": errors.decode()[-600:]}
        found: dict[str, object] = json.loads(output)
        return found

    async def recovered(self) -> tuple[list[Sample], list[str]]:
        """What is not normal ten seconds after the end."""
        await asyncio.sleep(RECOVERY_SECONDS)
        self.monitor.reset()
        began = time.monotonic()
        await asyncio.sleep(AFTER_SECONDS)
        ended = time.monotonic()
        await self.honest.settled(began)
        await self._caught_up(ended)
        samples = self.honest.between(began, ended)
        late = self.honest.awaited(ended)
        wrong = [*report.faults_in(samples), *(f"{count} x honest {what} has not come" for what, count in late.items())]
        above = {part: value - self.idle[part] for part, value in self.monitor.finish().items()}
        wrong += [f"{part} {value:.0f} MB above idle" for part, value in above.items() if value > report.MEMORY_MB]
        return samples, wrong

    async def _caught_up(self, until: float) -> None:
        """Waits for the events of what was asked for before, as long as a run may take."""
        deadline = time.monotonic() + DUE["run"]
        while self.honest.awaited(until) and time.monotonic() < deadline:  # noqa: ASYNC110 - of many events
            await asyncio.sleep(0.1)

    def attributed(self, rounds: Sequence[Round]) -> list[Round]:
        """With what came late: it counts where it was asked for."""
        self.honest.give_up_waiting(0)
        return [replace(each, samples=self.honest.between(each.began, each.ended)) for each in rounds]


@asynccontextmanager
async def open_field(log: Path | None) -> AsyncIterator[Field]:
    async with deployment(log) as deployed:
        limits = httpx.Limits(keepalive_expiry=3.0)
        url = f"http://127.0.0.1:{deployed.port}"
        async with httpx.AsyncClient(base_url=url, timeout=PATIENCE_SECONDS, limits=limits) as client:
            honest, monitor = Honest(deployed.port, client), Monitor(deployed.pid)
            await honest.set_up()
            tasks = [asyncio.create_task(honest.run()), asyncio.create_task(monitor.run())]
            try:
                await asyncio.sleep(WARM_UP_SECONDS)
                yield Field(deployed, honest, monitor, monitor.sample())
            finally:
                for task in tasks:
                    task.cancel()
                await asyncio.gather(*tasks, return_exceptions=True)


async def run(options: argparse.Namespace, chosen: Sequence[Attack]) -> int:
    seconds = options.seconds or max(0.5, (TOTAL_SECONDS - AROUND_SECONDS) / len(chosen) - OVERHEAD_SECONDS)
    started = time.monotonic()
    async with open_field(options.log) as field:
        quiet = await field.honest.settled(started)
        print(f"idle: {field.idle}; honest {report.latencies(quiet)}; {report.waits(quiet)}", flush=True)
        rounds = []
        for number, attack in enumerate(chosen, start=1):
            rounds.append(await field.attack(number, attack, seconds))
            print(report.line(rounds[-1]), flush=True)
        samples, wrong = await field.recovered()
        rounds = field.attributed(rounds)
        everything = field.honest.samples
        if (opened := field.honest.streams_opened) != 1:
            wrong.append(f"the honest stream was opened {opened} times")
    print(f"ten seconds after: honest {report.latencies(samples)}; {report.waits(samples)}")
    print(f"all {len(everything):,} honest samples: {report.latencies(everything)}; {report.waits(everything)}")
    if options.markdown:
        print(f"\n{report.markdown(rounds)}")
    return _judge(rounds, wrong, time.monotonic() - started)


def _judge(rounds: Sequence[Round], wrong: Sequence[str], seconds: float) -> int:
    faults = {each.attack.name: found for each in rounds if (found := list(each.faults()))}
    if wrong:
        faults["afterwards"] = list(wrong)
    print(f"\n{len(rounds)} kinds of attack in {seconds:.0f} s; with faults: {len(faults)}")
    for name, found in faults.items():
        print(f"{name}:\n" + "\n".join(f"    {each}" for each in found))
    share = max((each.share for each in rounds), default=0.0)
    facts = {"machine": machine.facts(), "load": machine.load_average()}
    result = {"attacks": len(rounds), "faults": faults, "largest_generator_share": round(share, 2)}
    print(json.dumps({"benchmark": "hostile", **facts, **result, "seconds": round(seconds, 1)}))
    return 1 if faults else 0


def choose(names: str | None) -> list[Attack]:
    if names is None:
        return list(ATTACKS.values())
    unknown = [name for name in names.split(",") if name not in ATTACKS]
    if unknown:
        sys.exit(f"no such attack: {', '.join(unknown)}; --list names them all")
    return [ATTACKS[name] for name in names.split(",")]


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--only", metavar="NAME,...", help="these attacks alone")
    parser.add_argument("--list", action="store_true", help="name the attacks and end")
    parser.add_argument("--seconds", type=float, help="for each attack; by default five minutes for all")
    parser.add_argument("--markdown", action="store_true", help="print the tables of the documentation, too")
    parser.add_argument("--log", type=Path, help="keep the server's log in this file")
    options = parser.parse_args()
    chosen = choose(options.only)
    if options.list:
        for attack in chosen:
            print(f"{attack.name:24} {POINTS[attack.point]:28} {attack.sends}")
        return
    sys.exit(asyncio.run(run(options, chosen)))


if __name__ == "__main__":
    main()
