"""CPU of each process for creating a document and for refreshing tokens. `make bench-requests`.

Uses a complete `partywall serve` (API, worker, PostgreSQL and Valkey) on all cores. `--before CHECKOUT` also measures
an older commit, in turns; the side that is not measured is paused (SIGSTOP). Each round starts with an idle worker, if
the worker can index the documents of the round before within a minute.
"""

from __future__ import annotations

import argparse
import asyncio
import json
import os
import random
import sys
from collections.abc import Awaitable, Callable, Mapping
from contextlib import AsyncExitStack, suppress
from dataclasses import dataclass
from pathlib import Path
from statistics import median
from urllib.parse import urlencode

import httpx2
import orjson
import uvloop

from bench import load, machine
from bench.seed import EMAIL, PASSWORD, document, sign_up
from bench.server_process import Served, serving

SESSIONS = 16
TURN_SECONDS = 300.0
# The longest wait after each round for the worker to finish indexing.
SETTLING = 60.0
ENVIRONMENT = {
    "ACCOUNTS__ACCESS_TOKEN_TTL": "PT4H",
    "ACCOUNTS__ATTEMPTS_PER_MINUTE": "1000000",
    "PROCESSES__LOOP_TIMEOUT": "PT1H",  # the paused side must not end itself
}
INDEXING = ("worker", "PostgreSQL for the worker")
TARGET_CREATE_MS, TARGET_REFRESH_MS, TARGET_RATE = 2.2, 1.3, 2.2
_TOKEN = "/api/v1/auth/token"
_FORM = "application/x-www-form-urlencoded"


@dataclass(frozen=True, slots=True)
class Measured:
    """One round: answers per second, and milliseconds of CPU per answer, by process."""

    rate: float
    cpu_ms: Mapping[str, float]

    @property
    def total_ms(self) -> float:
        """Without indexing."""
        return sum(used for name, used in self.cpu_ms.items() if name not in INDEXING)


@dataclass(slots=True)
class Side:
    """One of the commits. `tokens` are refresh tokens of active sessions."""

    name: str
    served: Served
    headers: list[tuple[str, str]]
    project: str
    tokens: list[str]


type Round = Callable[[Side, int], Awaitable[float]]


def creating(connections: int) -> Round:
    async def one_round(side: Side, count: int) -> float:
        chance = random.Random(3)
        path = f"/api/v1/projects/{side.project}/documents"
        bodies = [json.dumps(document(chance, number)).encode() for number in range(400)]
        requests = [load.request("POST", path, side.headers, bodies[number % 400]) for number in range(count)]
        expected = load.Expected(201, 1200, b'"content":"')
        result = await load.run_once(
            side.served.port, requests, expected, connections=connections, seconds=TURN_SECONDS
        )
        return result.rate

    return one_round


async def refreshing(side: Side, count: int) -> float:
    """Each session refreshes its tokens one after another, on one connection."""
    clock = asyncio.get_running_loop().time
    began = clock()
    each = count // SESSIONS
    side.tokens = await asyncio.gather(*(_refresh(side.served.port, token, each) for token in side.tokens))
    return each * SESSIONS / (clock() - began)


async def _refresh(port: int, token: str, times: int) -> str:
    reader, writer = await asyncio.open_connection("127.0.0.1", port)
    try:
        for _ in range(times):
            body = urlencode({"grant_type": "refresh_token", "refresh_token": token}).encode()
            writer.write(load.request("POST", _TOKEN, [], body, _FORM))
            head = await reader.readuntil(load.HEAD_END)
            assert head.startswith(b"HTTP/1.1 200 "), head
            length = head.lower().partition(load.LENGTH)[2].partition(b"\r\n")[0]
            token = orjson.loads(await reader.readexactly(int(length)))["refresh_token"]
    finally:
        writer.close()
    return token


SCENARIOS: dict[str, Round] = {
    "create, 16 connections": creating(16),
    "create, 100 connections": creating(100),
    "refresh, 16 sessions": refreshing,
}


async def ready(name: str, served: Served) -> Side:
    async with httpx2.AsyncClient(base_url=f"http://127.0.0.1:{served.port}", timeout=60) as client:
        token = await sign_up(client)
        headers = {"Authorization": f"Bearer {token}"}
        project = (await client.post("/api/v1/projects", json={"name": "One"}, headers=headers)).json()["id"]
        form = {"grant_type": "password", "username": EMAIL, "password": PASSWORD}
        tokens = [(await client.post(_TOKEN, data=form)).json()["refresh_token"] for _ in range(SESSIONS)]
    return Side(name, served, [*headers.items()], project, tokens)


async def measured(one_round: Round, side: Side, count: int) -> Measured:
    before = await side.served.cpu()
    rate = await one_round(side, count)
    after = await side.served.cpu()
    return Measured(rate, {name: 1000 * (after[name] - before.get(name, 0.0)) / count for name in sorted(after)})


async def settled(side: Side) -> None:
    """Waits until the worker has indexed what the round created, or for SETTLING seconds."""
    url = f"http://127.0.0.1:{side.served.port}/api/v1/projects/{side.project}/documents/stats"
    with suppress(TimeoutError):
        async with asyncio.timeout(SETTLING), httpx2.AsyncClient(headers=side.headers) as client:
            while (await client.get(url)).json()["by_index_status"]["pending"]:  # noqa: ASYNC110 - in another process
                await asyncio.sleep(0.2)


async def measure(sides: list[Side], rounds: int, count: int, only: str) -> dict[str, dict[str, list[Measured]]]:
    found: dict[str, dict[str, list[Measured]]] = {}
    for scenario, one_round in SCENARIOS.items():
        if only not in scenario:
            continue
        found[scenario] = {side.name: [] for side in sides}
        for number in range(-1, rounds):
            for side in sides[:: 1 if number % 2 else -1]:
                side.served.resume()
                seen = await measured(one_round, side, count if number >= 0 else count // 10)
                await settled(side)
                side.served.pause()
                if number >= 0:
                    found[scenario][side.name].append(seen)
    return found


async def run(options: argparse.Namespace) -> bool:
    checkouts = {"now": Path(__file__).parents[1]} | ({"before": options.before} if options.before else {})
    sides: list[Side] = []
    load_before = os.getloadavg()
    async with AsyncExitStack() as stack:
        for name, checkout in checkouts.items():
            served = await stack.enter_async_context(serving(checkout, ENVIRONMENT))
            stack.callback(served.resume)
            sides.append(await ready(name, served))
            served.pause()
        found = await measure(sides, options.rounds, options.count, options.only)
    results = [report(scenario, rounds) for scenario, rounds in found.items()]
    others = {"load_before": load_before, "load_after": os.getloadavg()}
    print(json.dumps({"benchmark": "requests", "machine": machine.facts(), **others, "results": results}))
    return all(bool(each["met"]) for each in results)


def report(scenario: str, rounds: Mapping[str, list[Measured]]) -> dict[str, object]:
    target = TARGET_REFRESH_MS if scenario.startswith("refresh") else TARGET_CREATE_MS
    found: dict[str, object] = {"scenario": scenario, "target_ms": target}
    for name, seen in rounds.items():
        total, rate = median(each.total_ms for each in seen), median(each.rate for each in seen)
        parts = {part: median(each.cpu_ms.get(part, 0.0) for each in seen) for part in seen[0].cpu_ms}
        print(f"{scenario:24} {name:7} {rate:6.0f}/s  {total:.2f} ms of CPU without indexing")
        for part, used in parts.items():
            print(f"{'':33}{used:7.3f}  {part}")
        rounded = {part: round(used, 3) for part, used in parts.items()}
        found[name] = {"per_second": round(rate), "cpu_ms": rounded, "without_indexing_ms": round(total, 3)}
    ratios = [a.rate / b.rate for a, b in zip(rounds["now"], rounds.get("before", []), strict=False)]
    if ratios:
        found["ratio_of_rates"] = round(median(ratios), 2)
        print(f"{'':24} ratio of rates {median(ratios):.2f}")
    found["met"] = median(each.total_ms for each in rounds["now"]) <= target
    return found


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--count", type=int, default=5000, help="answers per round")
    parser.add_argument("--only", default="", help="scenarios whose name contains this")
    parser.add_argument("--before", type=Path, help="checkout of an older commit to measure in turns with this one")
    sys.exit(0 if uvloop.run(run(parser.parse_args())) else 1)


if __name__ == "__main__":
    main()
