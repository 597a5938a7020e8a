"""Latency of searches through the HTTP API, one after another, with 5,000 documents in one project.

python -m bench.search_speed --collection FOLDER [--documents 5000]
"""

from __future__ import annotations

import argparse
import asyncio
import json
import sys
import time
from collections.abc import Mapping, Sequence
from pathlib import Path

from bench import collection, machine
from bench.results import exit_code
from bench.search_server import SearchServer, cpu_by_kind, open_search_server
from partywall.client.evaluation.collection import Query

TARGETS = {"p50_ms": 25.0, "p95_ms": 60.0}
MODES = ("hybrid", "text", "vector")
WARM_UP = 30


def percentile(sorted_values: Sequence[float], share: float) -> float:
    return sorted_values[min(len(sorted_values) - 1, int(share * len(sorted_values)))]


async def measure(search_server: SearchServer, project: str, topics: Sequence[Query], mode: str) -> dict[str, float]:
    for topic in topics[:WARM_UP]:
        await search_server.search(project, topic.text, mode=mode)
    taken, before = [], cpu_by_kind(search_server.pid)
    for topic in topics:
        begun = time.perf_counter()
        await search_server.search(project, topic.text, mode=mode)
        taken.append((time.perf_counter() - begun) * 1000)
    taken.sort()
    used = {kind: seconds - before.get(kind, 0.0) for kind, seconds in cpu_by_kind(search_server.pid).items()}
    cpu = {f"{kind}_cpu_ms": round(used[kind] / len(topics) * 1000, 1) for kind in ("partywall", "postgres")}
    return {f"p{share}_ms": round(percentile(taken, share / 100), 1) for share in (50, 95, 99)} | cpu


def missed(engine: str, latencies: Mapping[str, Mapping[str, float]]) -> list[str]:
    """The targets are for the bundled model, hybrid."""
    found = latencies["hybrid"]
    late = [name for name, most in TARGETS.items() if engine == "wordllama" and found[name] > most]
    return [f"hybrid, {name}: {found[name]}, target {TARGETS[name]}" for name in late]


async def run(directory: Path, count: int, engine: str, models: Path | None) -> list[str]:
    """The targets that are missed."""
    documents = (await asyncio.to_thread(collection.documents, directory))[:count]
    topics = await asyncio.to_thread(collection.topics, directory, "test")
    async with open_search_server({"EMBEDDINGS__ENGINE": engine}, models=models) as search_server:
        project = await search_server.project("Collection")
        await search_server.add(project, documents)
        await search_server.indexed(project, len(documents))
        latencies = {mode: await measure(search_server, project, topics, mode) for mode in MODES}
    facts = {"documents": len(documents), "queries": len(topics), "targets": TARGETS}
    line = {"benchmark": "search_speed", "engine": engine, **facts, **latencies}
    print(json.dumps(line | {"load_average": machine.load_average(), "machine": machine.facts()}))
    return missed(engine, latencies)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--collection", type=Path, required=True)
    parser.add_argument("--documents", type=int, default=5000)
    parser.add_argument("--engine", choices=["wordllama", "minilm", "e5"], default="wordllama")
    parser.add_argument("--models", type=Path, help="where `partywall models install` has put models")
    arguments = parser.parse_args()
    failed = asyncio.run(run(arguments.collection, arguments.documents, arguments.engine, arguments.models))
    sys.exit(exit_code(failed))


if __name__ == "__main__":
    main()
