"""Runs one kind of hostile request after another beside an honest client. `make bench-hostile`.

Exits with 1 if an honest request failed or took more than a second, the API or the worker used more than 150 MB above
idle, or anything was not normal ten seconds after the last attack.
"""

from __future__ import annotations

import argparse
import asyncio
import json
import sys
import time
from collections.abc import Sequence
from pathlib import Path

from bench import machine
from bench.hostile import report
from bench.hostile.attack import POINTS, Attack
from bench.hostile.attacks import ATTACKS
from bench.hostile.page import fill
from bench.hostile.report import Round
from bench.hostile.testbed import open_bench

TOTAL_SECONDS = 300.0
AROUND_SECONDS = 45.0  # start, warm-up, recovery
OVERHEAD_SECONDS = 0.8  # per attack: its process, account and project
LEAST_SECONDS, MOST_SECONDS = 0.7, 4.0


async def run(options: argparse.Namespace, chosen: Sequence[Attack]) -> int:
    seconds = options.seconds or _seconds(chosen)
    started = time.monotonic()
    async with open_bench(options.log) as testbed:
        quiet = await testbed.honest.settled(started)
        print(f"idle: {testbed.idle}; honest {report.latencies(quiet)}; {report.waits(quiet)}", flush=True)
        rounds = []
        for number, attack in enumerate(chosen, start=1):
            rounds.append(await testbed.attack(number, attack, seconds * attack.weight))
            print(report.line(rounds[-1]), flush=True)
        samples, wrong = await testbed.recovered()
        rounds = testbed.attributed(rounds)
        everything = testbed.honest.samples
        if (opened := testbed.honest.streams_opened) != 1:
            wrong.append(f"the honest stream was opened {opened} times")
    print(f"ten seconds after: honest {report.latencies(samples)}; {report.waits(samples)}")
    print(f"all {len(everything):,} honest samples: {report.latencies(everything)}; {report.waits(everything)}")
    if options.markdown:
        print(f"\n{report.markdown(rounds)}")
    if options.fill is not None:
        fill(options.fill, rounds)
    return _judge(rounds, wrong, time.monotonic() - started)


def _seconds(chosen: Sequence[Attack]) -> float:
    """Seconds per attack of weight 1, so that all take TOTAL_SECONDS; at least LEAST_SECONDS."""
    left = TOTAL_SECONDS - AROUND_SECONDS - OVERHEAD_SECONDS * len(chosen)
    return min(MOST_SECONDS, max(LEAST_SECONDS, left / sum(each.weight for each in chosen)))


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
    parser.add_argument("--only", metavar="NAME,...", help="only these attacks")
    parser.add_argument("--list", action="store_true", help="list the attacks and exit")
    parser.add_argument("--seconds", type=float, help="per attack; by default five minutes for all")
    parser.add_argument("--markdown", action="store_true", help="also print the tables of the documentation")
    parser.add_argument("--fill", metavar="PAGE", type=Path, help="write the results into this page's tables")
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
