"""The cost of row-level security: compares the API on a database with it and on a copy without.

`make bench-wall`.
"""

from __future__ import annotations

import argparse
import asyncio
import json
import os
import sys
from collections.abc import AsyncIterator, Mapping, Sequence
from contextlib import AsyncExitStack, asynccontextmanager
from dataclasses import dataclass
from statistics import median
from urllib.parse import quote

import httpx2
import uvloop

from bench import load, machine, throughput
from bench.database_without_rls import backends, clone_without_rls, guarded_tables, used, vacuum
from bench.deployment import Deployment, open_deployment
from bench.indexing_load import worker
from bench.processes import free_port, pin, server
from bench.prose import Prose
from bench.seed import BATCH, CONTENT_LENGTH, Seeded, seed
from bench.throughput import CONNECTIONS, OTHER_CORE, SERVER_CORE, WARM_UP_SECONDS, Scenario, Server

TARGETS = {"get one document": 0.15, "list of 50": 0.15, "create a document": 0.15, "search": 0.25}
LIBRARY = 1000
QUERIES = 200
INDEXING_SECONDS = 180.0


@dataclass(frozen=True, slots=True)
class Side:
    """One side: an API and its database."""

    server: Server
    deployment: Deployment


@dataclass(frozen=True, slots=True)
class Round:
    """Time per answer, and CPU of the database's backends per answer, in microseconds."""

    time_us: float
    database_us: float


@dataclass(frozen=True, slots=True)
class Price:
    """Extra time per answer with the wall, relative to the time without: the median of the pairs."""

    scenario: Scenario
    with_wall: Sequence[Round]
    without: Sequence[Round]

    @property
    def pairs(self) -> list[float]:
        return [one.time_us / other.time_us - 1 for one, other in zip(self.with_wall, self.without, strict=True)]

    @property
    def share(self) -> float:
        return median(self.pairs)

    @property
    def met(self) -> bool:
        return self.share <= self.scenario.target


@asynccontextmanager
async def serving(deployment: Deployment, name: str) -> AsyncIterator[Side]:
    port, log = free_port(), deployment.directory / f"{name}.log"
    command = [sys.executable, "-m", "partywall", "api", "--port", str(port)]
    async with server(command, deployment.environment, port=port, core=SERVER_CORE, log=log) as process:
        yield Side(Server(name, port, process.pid), deployment)


async def fill(deployment: Deployment) -> tuple[Seeded, list[Scenario]]:
    """Creates the projects of `throughput` and one to search, and waits until everything is indexed."""
    async with serving(deployment, "seeding") as side, worker(deployment, SERVER_CORE):
        seeded = await seed(side.server.port, projects=throughput.PROJECTS, documents=throughput.DOCUMENTS)
        prose = Prose(seed=3)
        texts = [prose.document(number, CONTENT_LENGTH) for number in range(LIBRARY)]
        base_url = f"http://127.0.0.1:{side.server.port}/api/v1"
        async with httpx2.AsyncClient(base_url=base_url, headers=seeded.headers, timeout=60) as client:
            library = await add_documents(client, texts)
            async with asyncio.timeout(INDEXING_SECONDS):
                for project in [library, *seeded.documents]:
                    await indexed(client, project)
        return seeded, scenarios(seeded, library, [prose.query(texts) for _ in range(QUERIES)])


async def add_documents(client: httpx2.AsyncClient, texts: Sequence[Mapping[str, str]]) -> str:
    answer = await client.post("/projects", json={"name": "Library"})
    project: str = answer.json()["id"]
    for first in range(0, len(texts), BATCH):
        body = {"documents": texts[first : first + BATCH]}
        answer = await client.post(f"/projects/{project}/documents/batch", json=body)
        assert answer.status_code == 201, answer.text
    return project


async def indexed(client: httpx2.AsyncClient, project: str) -> None:
    while True:
        facts = (await client.get(f"/projects/{project}/documents/stats")).json()
        assert facts["by_index_status"]["failed"] == 0, facts
        if facts["by_index_status"]["indexed"] == facts["total"]:
            return
        await asyncio.sleep(0.2)


def scenarios(seeded: Seeded, library: str, queries: Sequence[str]) -> list[Scenario]:
    """The scenarios of `throughput`, and a hybrid search."""
    path = f"/api/v1/projects/{library}/search?limit=10&q="
    asked = [load.request("GET", path + quote(query), seeded.headers) for query in queries]
    search = Scenario("search", 0.0, asked, load.Expected(200, 2000, b'"highlights":'))
    found = [*throughput.scenarios(seeded), search]
    return [Scenario(each.name, TARGETS[each.name], each.requests, each.expected) for each in found]


async def one_round(scenario: Scenario, side: Side, seconds: float) -> Round:
    pids = await backends(side.deployment)
    before = used(pids)
    result = await load.run(
        side.server.port, scenario.requests, scenario.expected, connections=CONNECTIONS, seconds=seconds
    )
    return Round(1e6 / result.rate, used(pids).since(before) / result.answers * 1e6)


async def measure(scenario: Scenario, sides: tuple[Side, Side], *, rounds: int, seconds: float) -> Price:
    """Measures in pairs, each side first in every second pair."""
    before = [await throughput.rows(side.deployment) for side in sides]
    for side in sides:
        await one_round(scenario, side, WARM_UP_SECONDS)
    found: dict[str, list[Round]] = {side.server.name: [] for side in sides}
    for number in range(rounds):
        for side in sides if number % 2 else reversed(sides):
            found[side.server.name].append(await one_round(scenario, side, seconds))
    for side, counted in zip(sides, before, strict=True):
        stored = {table: count - counted[table] for table, count in (await throughput.rows(side.deployment)).items()}
        assert len(set(stored.values())) == 1, f"not every answer stored its rows: {stored}"
    return Price(scenario, *found.values())


async def run(options: argparse.Namespace) -> bool:
    pin(0, OTHER_CORE)
    async with open_deployment(OTHER_CORE) as deployment, AsyncExitStack() as stack:
        seeded, wanted = await fill(deployment)
        clone = await clone_without_rls(deployment)
        assert await guarded_tables(deployment), "the first database has no row-level security"
        assert not await guarded_tables(clone), "the second database still has row-level security"
        for each in (deployment, clone):
            await vacuum(each)
        sides = (
            await stack.enter_async_context(serving(deployment, "with the wall")),
            await stack.enter_async_context(serving(clone, "without")),
        )
        await throughput.same_answers(seeded, [side.server for side in sides])
        prices = []
        for scenario in wanted:
            if options.only in scenario.name:
                prices.append(await measure(scenario, sides, rounds=options.rounds, seconds=options.seconds))
                report(prices[-1])
    facts = {"load_average": machine.load_average(), "machine": machine.facts()}
    print(json.dumps({"benchmark": "wall_price", "results": [summary(each) for each in prices], **facts}))
    return all(each.met for each in prices)


def report(price: Price) -> None:
    one, other = (median(one_round.time_us for one_round in rounds) for rounds in (price.with_wall, price.without))
    database = [median(one_round.database_us for one_round in rounds) for rounds in (price.without, price.with_wall)]
    print(
        f"{price.scenario.name:18} without {1e6 / other:6.0f}/s  with {1e6 / one:6.0f}/s  price {price.share:+6.1%} "
        f"(at most {price.scenario.target:.0%}: {'met' if price.met else 'MISSED'})  "
        f"pairs {min(price.pairs):+.1%} to {max(price.pairs):+.1%}  "
        f"CPU of the database {database[0]:.0f} -> {database[1]:.0f} us",
        flush=True,
    )


def summary(price: Price) -> dict[str, str | float | bool | list[float]]:
    return {
        "scenario": price.scenario.name,
        "price": round(price.share, 3),
        "target": price.scenario.target,
        "met": price.met,
        "pairs": [round(each, 3) for each in price.pairs],
        "database_us": [round(median(t.database_us for t in each), 1) for each in (price.without, price.with_wall)],
    }


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--rounds", type=int, default=30, help="pairs of rounds for each scenario")
    parser.add_argument("--seconds", type=float, default=0.5, help="per round")
    parser.add_argument("--only", default="", help="scenarios whose name contains this")
    options = parser.parse_args()
    if (os.cpu_count() or 1) < 2:
        sys.exit("two cores are needed: one for the server, one for everything else")
    sys.exit(0 if uvloop.run(run(options)) else 1)


if __name__ == "__main__":
    main()
