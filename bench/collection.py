"""Reads a test collection in the BEIR format: corpus.jsonl, queries*.jsonl, qrels*.tsv."""

from __future__ import annotations

import json
from pathlib import Path

from partywall.client.evaluation.collection import Query, queries


def documents(directory: Path) -> list[dict[str, str]]:
    """Documents for `POST /documents/batch`; the collection's id is the `external_id`."""
    rows = [json.loads(line) for line in (directory / "corpus.jsonl").read_text(encoding="utf-8").splitlines()]
    return [{"external_id": r["id"], "title": (r["title"].strip() or "-")[:500], "content": r["text"]} for r in rows]


def topics(directory: Path, split: str) -> list[Query]:
    """The judged queries of `test` or `train`."""
    return queries(directory, split)
