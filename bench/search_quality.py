"""Search quality on a judged collection, through the HTTP API.

python -m bench.search_quality --collection FOLDER [--engine minilm --models DATA_DIR/models]
"""

from __future__ import annotations

import argparse
import asyncio
import json
import sys
from collections.abc import Mapping, Sequence
from pathlib import Path

from bench import collection, machine
from bench.results import exit_code
from bench.search_server import SearchServer, open_search_server
from partywall.client.evaluation.collection import Query
from partywall.client.evaluation.run import LIMIT, Run

TARGETS = {"wordllama": 0.725, "minilm": 0.73, "e5": 0.75}
MODES = ("text", "vector", "hybrid")
CONCURRENCY = 4


async def score(
    search_server: SearchServer, project: str, ids: dict[str, str], topics: Sequence[Query], mode: str
) -> dict[str, float]:
    limiter = asyncio.Semaphore(CONCURRENCY)

    async def ask(topic: Query) -> list[str]:
        async with limiter:
            return [ids[each] for each in await search_server.search(project, topic.text, mode=mode, limit=LIMIT)]

    answers = await asyncio.gather(*map(ask, topics))
    found = Run(name=mode, found={topic.id: answer for topic, answer in zip(topics, answers, strict=True)})
    return {name.lower(): round(value, 4) for name, value in found.means(topics).items()}


def missed(engine: str, split: str, scores: Mapping[str, Mapping[str, float]]) -> list[str]:
    """The target is for the test queries; the others choose parameters."""
    found = scores["hybrid"]["ndcg@10"]
    is_missed = split == "test" and found < TARGETS[engine]
    return [f"nDCG@10 of {engine}, hybrid: {found}, target {TARGETS[engine]}"] if is_missed else []


async def run(directory: Path, engine: str, models: Path | None, splits: Sequence[str]) -> list[str]:
    """The targets that are missed."""
    failed: list[str] = []
    documents = await asyncio.to_thread(collection.documents, directory)
    async with open_search_server({"EMBEDDINGS__ENGINE": engine}, models=models) as search_server:
        project = await search_server.project("Collection")
        ids = await search_server.add(project, documents)
        await search_server.indexed(project, len(documents))
        for split in splits:
            topics = await asyncio.to_thread(collection.topics, directory, split)
            scores = {mode: await score(search_server, project, ids, topics, mode) for mode in MODES}
            facts = {"documents": len(documents), "queries": len(topics), "target": TARGETS[engine]}
            line = {"benchmark": "search_quality", "engine": engine, "split": split, **facts, **scores}
            print(json.dumps(line | {"machine": machine.facts()}), flush=True)
            failed += missed(engine, split, scores)
    return failed


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--collection", type=Path, required=True)
    parser.add_argument("--engine", choices=sorted(TARGETS), default="wordllama")
    parser.add_argument("--models", type=Path, help="where `partywall models install` has put models")
    parser.add_argument("--splits", nargs="+", choices=["test", "train"], default=["test"])
    arguments = parser.parse_args()
    failed = asyncio.run(run(arguments.collection, arguments.engine, arguments.models, arguments.splits))
    sys.exit(exit_code(failed))


if __name__ == "__main__":
    main()
