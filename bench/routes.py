"""Latency of the ordinary routes, measured in turns on one `partywall serve`. `make bench-routes`.

Exits with 1 if the 95th percentile of a route is above 500 ms.
"""

from __future__ import annotations

import argparse
import asyncio
import json
import random
import sys
import time
from collections.abc import Sequence
from dataclasses import asdict, dataclass

import httpx2
import uvloop

from bench import load, machine
from bench.hostile.deployment import model_server
from bench.ordinary import ROUTES, VISITOR, BenchProject, Route
from bench.search_server import SearchServer, open_search_server
from bench.seed import PASSWORD, document

TARGET_P95_MS = 500.0
CONNECTIONS = 4
DOCUMENTS = 2000
RUNS = 20
EVENTS = 100
TURN_SECONDS = 60.0
STREAM = f"read {EVENTS} events"


async def prepared(search_server: SearchServer) -> BenchProject:
    """A project with indexed documents and runs."""
    chance = random.Random(1)
    visitor = {"email": VISITOR, "password": PASSWORD}
    answer = await search_server.client.post("/api/v1/auth/register", json=visitor)
    assert answer.status_code == 202, answer.text
    project = await search_server.project("Measured")
    texts = [document(chance, number) | {"external_id": str(number)} for number in range(DOCUMENTS)]
    ids = list(await search_server.add(project, texts))
    await search_server.indexed(project, DOCUMENTS)
    runs = []
    for number in range(RUNS):
        body = {"agent": "bench", "input": {"task": f"Task {number}"}}
        answer = await search_server.client.post(f"/api/v1/projects/{project}/runs", json=body)
        assert answer.status_code == 202, answer.text
        runs.append(answer.json()["id"])
    headers = [("Authorization", search_server.client.headers["Authorization"])]
    return BenchProject(project, ids, runs, headers, chance)


async def one_round(port: int, target: BenchProject, route: Route, count: int) -> list[float]:
    """The latency of each answer, in seconds."""
    requests = [route.make(target) for _ in range(count)]
    try:
        result = await load.run_once(port, requests, route.expected, connections=CONNECTIONS, seconds=TURN_SECONDS)
    except (load.WrongAnswerError, OSError) as error:
        raise SystemExit(f"{route.name}: {error}") from error
    return result.latencies


async def streamed(search_server: SearchServer, target: BenchProject, count: int) -> list[float]:
    """Seconds from the request to the EVENTS-th event of the log."""
    taken: list[float] = []

    async def one() -> None:
        begun = time.perf_counter()
        async with search_server.client.stream("GET", f"{target.path}/events", params={"after": "0"}) as answer:
            assert answer.status_code == httpx2.codes.OK, answer.status_code
            seen = 0
            async for line in answer.aiter_lines():
                seen += line.startswith("data:")
                if seen == EVENTS:
                    break
        taken.append(time.perf_counter() - begun)

    for _ in range(count // CONNECTIONS):
        async with asyncio.TaskGroup() as group:
            for _ in range(CONNECTIONS):
                group.create_task(one())
    return taken


async def measure(search_server: SearchServer, target: BenchProject, rounds: int, count: int) -> dict[str, list[float]]:
    """Each round measures every route in random order; the first is a warm-up and not counted."""
    port = search_server.client.base_url.port
    assert port is not None
    routes = {route.name: route for route in ROUTES}
    taken: dict[str, list[float]] = {name: [] for name in (*routes, STREAM)}
    for number in range(rounds + 1):
        for name in target.chance.sample(list(taken), len(taken)):
            if name == STREAM:
                found = await streamed(search_server, target, count)
            else:
                found = await one_round(port, target, routes[name], count)
            if number:
                taken[name] += found
        print(f"round {number} of {rounds}; load {machine.load_average():.1f}", file=sys.stderr, flush=True)
    return taken


@dataclass(frozen=True, slots=True)
class Measured:
    route: str
    answers: int
    p50_ms: float
    p95_ms: float
    p99_ms: float

    @classmethod
    def of(cls, route: str, taken: Sequence[float]) -> Measured:
        result = load.Result(len(taken), 1.0, list(taken))
        return cls(route, len(taken), *(round(result.percentile(share), 1) for share in (0.50, 0.95, 0.99)))

    @property
    def met(self) -> bool:
        return self.p95_ms <= TARGET_P95_MS

    def row(self) -> str:
        """A row of the table in the documentation."""
        return f"| {self.route} | {self.p50_ms:.0f} | **{self.p95_ms:.0f}** | {self.p99_ms:.0f} |"


async def run(options: argparse.Namespace) -> bool:
    before = machine.load_average()
    async with model_server() as model_url, open_search_server(_environment(model_url)) as search_server:
        taken = await measure(search_server, await prepared(search_server), options.rounds, options.requests)
    results = [Measured.of(name, each) for name, each in taken.items()]
    print("| route | p50 | p95 | p99 |\n|---|---|---|---|")
    for each in results:
        print(each.row() + ("" if each.met else " MISSED"))
    facts = {"connections": CONNECTIONS, "documents": DOCUMENTS, "target_p95_ms": TARGET_P95_MS}
    facts |= {"load_before": before, "load_after": machine.load_average()}
    lines = [asdict(each) | {"met": each.met} for each in results]
    print(json.dumps({"benchmark": "routes", **facts, "machine": machine.facts(), "results": lines}))
    return all(each.met for each in results)


def _environment(model_url: str) -> dict[str, str]:
    """Lifts limits on login attempts, tickets and open runs; limits on concurrency keep their defaults."""
    return {
        "ACCOUNTS__ATTEMPTS_PER_MINUTE": "100000",
        "AGENTS__MODEL": "openai:scripted",
        "AGENTS__BASE_URL": model_url,
        "AGENTS__MODULES": "bench.agent",
        "AGENTS__OPEN_RUNS_PER_PROJECT": "100000",
        "AGENTS__OPEN_RUNS_PER_ACCOUNT": "100000",
        "EVENTS__CONNECTIONS_PER_PRINCIPAL": "100000",
        "OUTGOING__ALLOW_HTTP": "true",
        "OUTGOING__ALLOWED_NETWORKS": "127.0.0.0/8",
    }


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--rounds", type=int, default=10)
    parser.add_argument("--requests", type=int, default=40, help="requests per route and round")
    options = parser.parse_args()
    sys.exit(0 if uvloop.run(run(options)) else 1)


if __name__ == "__main__":
    main()
