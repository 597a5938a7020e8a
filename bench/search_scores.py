"""Scores of the best hit for real questions, for questions about something else, and for nonsense, through the API.

python -m bench.search_scores --collections FOLDER FOLDER ... [--engine minilm --models DATA_DIR/models]

The questions of each collection are asked in it, and as questions about something else in the others.
"""

from __future__ import annotations

import argparse
import asyncio
import json
import random
import sys
from collections.abc import Mapping, Sequence
from pathlib import Path

from bench import collection, machine
from bench.results import exit_code
from bench.search_server import SearchServer, open_search_server

QUESTIONS = 100
THRESHOLD = 0.3
REAL, NONSENSE = 0.9, 0.05
"""In hybrid mode: at least so many of the real questions reach the threshold, and at most so many of the others."""
_LETTERS = "abcdefghijklmnopqrstuvwxyz"
_SYLLABLES = ("ba", "ko", "mi", "tru", "len", "vor", "shi", "pla", "ne", "dou", "ran", "fex", "ul", "gri", "ost")


def nonsense(count: int) -> dict[str, list[str]]:
    """Random letters, and words that could exist; the same ones each time."""
    chance = random.Random(13)

    def words(parts: Sequence[str], least: int, most: int) -> str:
        lengths = [chance.randint(least, most) for _ in range(chance.randint(1, 5))]
        return " ".join("".join(chance.choices(parts, k=length)) for length in lengths)

    return {
        "letters": [words(_LETTERS, 4, 10) for _ in range(count)],
        "words": [words(_SYLLABLES, 2, 4) for _ in range(count)],
    }


async def best_scores(server: SearchServer, project: str, queries: Sequence[str], mode: str) -> dict[str, float]:
    found: list[float] = []
    for query in queries:
        answer = await server.client.get(
            f"/api/v1/projects/{project}/search", params={"q": query, "limit": 1, "mode": mode}
        )
        assert answer.status_code == 200, answer.text
        found += [item["score"] for item in answer.json()["items"]] or [0.0]
    found = sorted(found) or [0.0]
    at = {f"p{share}": found[min(len(found) - 1, len(found) * share // 100)] for share in (5, 50, 95)}
    above = sum(score >= THRESHOLD for score in found) / len(found)
    return {"queries": len(found), **at, f"from_{THRESHOLD}": round(above, 3)}


def missed(collection_name: str, mode: str, scores: Mapping[str, Mapping[str, float]]) -> list[str]:
    if mode != "hybrid":
        return []
    reached = {kind: each[f"from_{THRESHOLD}"] for kind, each in scores.items()}
    bad = ["real"] if reached["real"] < REAL else []
    bad += [kind for kind in ("letters", "words") if reached[kind] > NONSENSE]
    return [f"{collection_name}, {kind}: {reached[kind]} from {THRESHOLD}" for kind in bad]


async def run(folders: Sequence[Path], engine: str, models: Path | None, modes: Sequence[str]) -> list[str]:
    """The targets that are missed."""
    failed: list[str] = []
    questions = {
        folder: [topic.text for topic in await asyncio.to_thread(collection.topics, folder, "test")][:QUESTIONS]
        for folder in folders
    }
    async with open_search_server({"EMBEDDINGS__ENGINE": engine}, models=models) as server:
        for folder in folders:
            documents = await asyncio.to_thread(collection.documents, folder)
            project = await server.project(folder.name)
            await server.add(project, documents)
            await server.indexed(project, len(documents))
            others = [query for other, asked in questions.items() if other != folder for query in asked]
            kinds = {"real": questions[folder], "about something else": others, **nonsense(QUESTIONS)}
            for mode in modes:
                facts = {"benchmark": "search_scores", "engine": engine, "collection": folder.name, "mode": mode}
                scores = {kind: await best_scores(server, project, asked, mode) for kind, asked in kinds.items()}
                print(json.dumps({**facts, **scores, "machine": machine.facts()}), flush=True)
                failed += missed(folder.name, mode, scores)
    return failed


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--collections", type=Path, nargs="+", required=True)
    parser.add_argument("--engine", choices=["wordllama", "minilm"], default="wordllama")
    parser.add_argument("--models", type=Path, help="where `partywall models install` has put MiniLM")
    parser.add_argument("--modes", nargs="+", choices=["hybrid", "text", "vector"], default=["hybrid"])
    arguments = parser.parse_args()
    failed = asyncio.run(run(arguments.collections, arguments.engine, arguments.models, arguments.modes))
    sys.exit(exit_code(failed))


if __name__ == "__main__":
    main()
