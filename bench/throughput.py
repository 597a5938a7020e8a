"""Requests per second of the product compared with the floor, measured in turns. `make bench-throughput`."""

from __future__ import annotations

import argparse
import json
import os
import random
import sys
from collections.abc import Sequence
from contextlib import AsyncExitStack
from dataclasses import dataclass
from pathlib import Path
from statistics import median

import asyncpg
import httpx2
import uvloop

from bench import bare_server, load, machine
from bench.deployment import Deployment, open_deployment
from bench.processes import cpu_seconds, free_port, pin, server
from bench.seed import Seeded, document, seed

SERVER_CORE, OTHER_CORE = 0, 1
CONNECTIONS = 16
PROJECTS, DOCUMENTS = 20, 200
WARM_UP_SECONDS = 1.0
COUNTED = ("document", "document_version", "event")


@dataclass(frozen=True, slots=True)
class Scenario:
    name: str
    target: float
    requests: Sequence[bytes]
    expected: load.Expected


@dataclass(frozen=True, slots=True)
class Server:
    name: str
    port: int
    pid: int


@dataclass(frozen=True, slots=True)
class Measured:
    """One round: answers per second, CPU per answer, and the 99th percentile of the latency."""

    rate: float
    cpu_us: float
    p99_ms: float


def scenarios(seeded: Seeded) -> list[Scenario]:
    chance = random.Random(2)
    path = "/api/v1/projects/{}/documents"
    pairs = [(project, each) for project, ids in seeded.documents.items() for each in ids]
    chance.shuffle(pairs)
    bodies = [json.dumps(document(chance, number)).encode() for number in range(400)]
    owners = [project for project, _ in pairs]
    return [
        Scenario(
            "get one document", 0.50,
            [load.request("GET", f"{path.format(project)}/{each}", seeded.headers) for project, each in pairs],
            load.Expected(200, 1200, b'"content":"'),
        ),
        Scenario(
            "list of 50", 0.50,
            [load.request("GET", f"{path.format(project)}?limit=50", seeded.headers) for project in owners[:1000]],
            load.Expected(200, 15_000, b'"next_cursor":'),
        ),
        Scenario(
            "create a document", 0.45,
            [load.request("POST", path.format(project), seeded.headers, body)
             for project, body in zip(owners, bodies * 10, strict=False)],
            load.Expected(201, 1200, b'"content":"'),
        ),
    ]  # fmt: skip


async def one_round(scenario: Scenario, target: Server, seconds: float) -> Measured:
    before = cpu_seconds(target.pid)
    result = await load.run(target.port, scenario.requests, scenario.expected, connections=CONNECTIONS, seconds=seconds)
    cpu = (cpu_seconds(target.pid) - before) / result.answers
    return Measured(result.rate, cpu * 1e6, result.percentile(0.99))


async def measure(
    scenario: Scenario, servers: Sequence[Server], *, rounds: int, seconds: float
) -> dict[str, list[Measured]]:
    """Measures floor and product in turns, so that other load on the machine affects both."""
    found: dict[str, list[Measured]] = {each.name: [] for each in servers}
    for each in servers:
        await one_round(scenario, each, WARM_UP_SECONDS)
    for _ in range(rounds):
        for each in servers:
            found[each.name].append(await one_round(scenario, each, seconds))
    return found


async def same_answers(seeded: Seeded, servers: Sequence[Server]) -> None:
    """Checks that the floor's responses equal the product's, so that both do the same work."""
    project, ids = next(iter(seeded.documents.items()))
    async with httpx2.AsyncClient(headers=dict(seeded.headers)) as client:
        for path in (f"/{ids[0]}", f"/{ids[-1]}", "?limit=50"):
            urls = [f"http://127.0.0.1:{each.port}/api/v1/projects/{project}/documents{path}" for each in servers]
            first, second = [(await client.get(url)).json() for url in urls]
            first.pop("next_cursor", None), second.pop("next_cursor", None)
            assert first == second, f"floor and product differ in {path}"


async def rows(deployment: Deployment) -> dict[str, int]:
    connection = await asyncpg.connect(deployment.superuser_url.replace("+asyncpg", "", 1))
    try:
        counts = [await connection.fetchval(f"SELECT count(*) FROM {table}") for table in COUNTED]  # noqa: S608 - constants
        return dict(zip(COUNTED, counts, strict=True))
    finally:
        await connection.close()


async def start(stack: AsyncExitStack, deployment: Deployment) -> tuple[Server, Server]:
    """Starts both on the same core; only one is loaded at a time."""
    root = Path(__file__).parents[1]
    ports = free_port(), free_port()
    commands = {
        "floor": [sys.executable, "-m", "bench.bare_server", str(ports[0])],
        "product": [sys.executable, "-m", "partywall", "api", "--port", str(ports[1])],
    }
    environment = {
        **deployment.environment,
        bare_server.SUPERUSER_URL: deployment.superuser_url,
        "PYTHONPATH": str(root),
    }
    found = []
    for (name, command), port in zip(commands.items(), ports, strict=True):
        log = deployment.directory / f"{name}.log"
        process = await stack.enter_async_context(server(command, environment, port=port, core=SERVER_CORE, log=log))
        found.append(Server(name, port, process.pid))
    return found[0], found[1]


async def analyze(deployment: Deployment) -> None:
    """Does what autovacuum would have done by now."""
    connection = await asyncpg.connect(deployment.superuser_url.replace("+asyncpg", "", 1))
    await connection.execute("VACUUM ANALYZE")
    await connection.close()


async def run(options: argparse.Namespace) -> bool:
    pin(0, OTHER_CORE)
    async with open_deployment(OTHER_CORE) as deployment, AsyncExitStack() as stack:
        servers = await start(stack, deployment)
        seeded = await seed(servers[1].port, projects=PROJECTS, documents=DOCUMENTS)
        await analyze(deployment)
        await same_answers(seeded, servers)
        results = []
        for scenario in scenarios(seeded):
            if options.only in scenario.name:
                before = await rows(deployment)
                found = await measure(scenario, servers, rounds=options.rounds, seconds=options.seconds)
                stored = {table: count - before[table] for table, count in (await rows(deployment)).items()}
                results.append(report(scenario, found, stored))
    print(json.dumps({"benchmark": "throughput", "machine": machine.facts(), "results": results}))
    return all(bool(each["met"]) for each in results)


def report(
    scenario: Scenario, found: dict[str, list[Measured]], stored: dict[str, int]
) -> dict[str, str | float | bool | list[float]]:
    assert len(set(stored.values())) == 1, f"not every answer stored its rows: {stored}"
    rates = {name: median(each.rate for each in rounds) for name, rounds in found.items()}
    cpu = {name: median(each.cpu_us for each in rounds) for name, rounds in found.items()}
    ratio = rates["product"] / rates["floor"]
    print(
        f"{scenario.name:20} floor {rates['floor']:7.0f}/s  product {rates['product']:7.0f}/s  ratio {ratio:.2f} "
        f"(target {scenario.target:.2f})  CPU {cpu['floor']:.0f} -> {cpu['product']:.0f} us  "
        f"p99 {median(each.p99_ms for each in found['product']):.1f} ms"
    )
    return {
        "scenario": scenario.name,
        "floor_per_s": round(rates["floor"]),
        "product_per_s": round(rates["product"]),
        "ratio": round(ratio, 3),
        "target": scenario.target,
        "met": ratio >= scenario.target,
        "floor_cpu_us": round(cpu["floor"]),
        "product_cpu_us": round(cpu["product"]),
        "ratios": [round(p.rate / f.rate, 3) for f, p in zip(found["floor"], found["product"], strict=True)],
    }


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--rounds", type=int, default=7)
    parser.add_argument("--seconds", type=float, default=3.0, help="per round")
    parser.add_argument("--only", default="", help="scenarios whose name contains this")
    options = parser.parse_args()
    if (os.cpu_count() or 1) < 2:
        sys.exit("two cores are needed: one for the server, one for everything else")
    sys.exit(0 if uvloop.run(run(options)) else 1)


if __name__ == "__main__":
    main()
