"""Reads a test collection in the BEIR format: corpus.jsonl, queries*.jsonl, qrels*.tsv."""

from __future__ import annotations

import json
import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path


@dataclass(frozen=True, slots=True)
class Topic:
    """A query and the relevance grades of documents for it."""

    text: str
    grades: dict[str, int]


def documents(directory: Path) -> list[dict[str, str]]:
    """Documents for `POST /documents/batch`; the collection's id is the `external_id`."""
    rows = [json.loads(line) for line in (directory / "corpus.jsonl").read_text(encoding="utf-8").splitlines()]
    return [{"external_id": r["id"], "title": (r["title"].strip() or "-")[:500], "content": r["text"]} for r in rows]


def topics(directory: Path, split: str) -> list[Topic]:
    """The judged queries of `test` or `train`."""
    suffix = "" if split == "test" else f"_{split}"
    queries = (directory / f"queries{suffix}.jsonl").read_text(encoding="utf-8").splitlines()
    texts = {row["id"]: row["text"] for row in map(json.loads, queries)}
    grades: dict[str, dict[str, int]] = {}
    for line in (directory / f"qrels{suffix}.tsv").read_text(encoding="utf-8").splitlines()[1:]:
        query, document, grade = line.split()
        grades.setdefault(query, {})[document] = int(grade)
    return [Topic(texts[query], judged) for query, judged in grades.items() if any(judged.values())]


def ndcg(found: Sequence[str], grades: Mapping[str, int], depth: int = 10) -> float:
    """Normalised discounted cumulative gain, with the grade itself as gain."""
    ideal = sorted(grades.values(), reverse=True)
    return _gain([grades.get(document, 0) for document in found[:depth]]) / _gain(ideal[:depth])


def recall(found: Sequence[str], grades: Mapping[str, int], depth: int = 100) -> float:
    relevant = {document for document, grade in grades.items() if grade > 0}
    return len(relevant & {*found[:depth]}) / len(relevant)


def _gain(grades: Sequence[int]) -> float:
    return sum(grade / math.log2(rank + 2) for rank, grade in enumerate(grades))
