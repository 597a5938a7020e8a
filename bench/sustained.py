"""Documents created one by one from many connections: the cost of each and the delay until they are found.

python -m bench.sustained [--seconds 60]
"""

from __future__ import annotations

import argparse
import asyncio
import json
import sys
import time
from collections.abc import Callable, Mapping

from bench import load, machine
from bench.prose import Prose
from bench.results import exit_code
from bench.search_server import SearchServer, cpu_by_kind, open_search_server

CONNECTIONS = 16
WORDS = 200
LETTERS = 6 * WORDS
DIFFERENT = 2_000
LONE = 50
SETTLE_SECONDS = 3.0
TARGET_CPU_MS, TARGET_SECONDS, TARGET_LONE_MS = 5.0, 5.0, 300.0


async def lone(search_server: SearchServer, project: str, documents: list[dict[str, str]]) -> float:
    """The 95th percentile of the milliseconds from a POST until the document is indexed, on an idle system."""
    seen = []
    for each in documents:
        began = time.perf_counter()
        answer = await search_server.client.post(f"/api/v1/projects/{project}/documents", json=each)
        assert answer.status_code == 201, answer.text
        where = answer.headers["location"]
        while True:
            if (await search_server.client.get(where)).json()["index_status"] == "indexed":
                break
            await asyncio.sleep(0.005)
        seen.append(1000 * (time.perf_counter() - began))
        await asyncio.sleep(0.1)
    return sorted(seen)[int(0.95 * len(seen))]


async def sustained(
    search_server: SearchServer, port: int, documents: list[dict[str, str]], seconds: float
) -> dict[str, object]:
    project = await search_server.project("Sustained")
    headers = [("Authorization", search_server.client.headers["Authorization"])]
    path = f"/api/v1/projects/{project}/documents"
    requests = [load.request("POST", path, headers, json.dumps(each).encode()) for each in documents]
    expected = load.Expected(201, 100, b'"index_status"')
    before = cpu_by_kind(search_server.pid)
    result = await load.run(port, requests, expected, connections=CONNECTIONS, seconds=seconds)
    ended = time.perf_counter()
    await search_server.indexed(project, result.answers)
    behind, after = time.perf_counter() - ended, cpu_by_kind(search_server.pid)
    used = {kind: round(after[kind] - before.get(kind, 0.0), 2) for kind in after}
    return {
        "documents": result.answers,
        "created_per_second": round(result.rate),
        "all_found_after_seconds": round(behind, 1),
        "cpu_seconds": used,
        "cpu_ms_per_document": round(1000 * sum(used.values()) / result.answers, 2),
        "targets": {"cpu_ms_per_document": TARGET_CPU_MS, "all_found_after_seconds": TARGET_SECONDS},
    }


async def idle(search_server: SearchServer, seconds: float) -> dict[str, float]:
    """Percent of one core used without requests, by kind of process."""
    before = cpu_by_kind(search_server.pid)
    await asyncio.sleep(seconds)
    after = cpu_by_kind(search_server.pid)
    return {kind: round(100 * (after[kind] - before.get(kind, 0.0)) / seconds, 2) for kind in after}


def distinct(make: Callable[[int], dict[str, str]], count: int) -> list[dict[str, str]]:
    return [make(number) for number in range(count)]


def missed(found: Mapping[str, object]) -> list[str]:
    targets = {
        "cpu_ms_per_document": TARGET_CPU_MS,
        "all_found_after_seconds": TARGET_SECONDS,
        "lone_p95_ms": TARGET_LONE_MS,
    }
    measured = {name: float(str(found[name])) for name in targets}
    return [f"{name}: {measured[name]}, target {most}" for name, most in targets.items() if measured[name] > most]


async def run(seconds: float) -> list[str]:
    """The targets that are missed."""
    prose = Prose(1)
    documents = distinct(lambda number: prose.document(number, LETTERS), DIFFERENT)
    async with open_search_server({}) as search_server:
        port = search_server.client.base_url.port
        assert port is not None
        warm = await search_server.project("Warm-up")
        await search_server.add(warm, documents[:100])
        await search_server.indexed(warm, 100)
        await asyncio.sleep(SETTLE_SECONDS)
        first = await lone(search_server, await search_server.project("Lone"), documents[:LONE])
        result = await sustained(search_server, port, documents, seconds)
        await asyncio.sleep(SETTLE_SECONDS)
        facts = {
            "lone_p95_ms": round(first),
            "lone_target_ms": TARGET_LONE_MS,
            "idle_percent": await idle(search_server, 10),
        }
    print(json.dumps({"benchmark": "sustained", **result, **facts, "machine": machine.facts()}))
    return missed(result | facts)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--seconds", type=float, default=60.0)
    sys.exit(exit_code(asyncio.run(run(parser.parse_args().seconds))))


if __name__ == "__main__":
    main()
