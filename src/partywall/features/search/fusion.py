"""Fuses the two halves of hybrid search into one ranking."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Final
from uuid import UUID

VECTOR_WEIGHT: Final = 0.3
"""Chosen on the SciFact train queries; see docs/reference/benchmarks.md."""


@dataclass(frozen=True, slots=True)
class Candidate:
    """A chunk that one half found: BM25 for text, cosine similarity for vectors."""

    chunk: int
    document_id: UUID
    score: float


@dataclass(frozen=True, slots=True)
class Ranked:
    chunk: int
    document_id: UUID
    score: float


def fuse(
    text: Sequence[Candidate], vector: Sequence[Candidate], *, depth: int, weight: float = VECTOR_WEIGHT
) -> list[Ranked]:
    """The convex combination of both halves, best first, with scores within 0..1. Expects each half best first.

    Text scores are divided by the best one. Similarities have no natural zero, so they are scaled between that of the
    `depth`-th candidate and the best: more candidates do not change the order above. A chunk that one half did not find
    scores 0 there. If a half is empty, the other keeps its order.
    """
    if not text or not vector:
        return _ordered([*text, *vector], _of_best(text) if text else _between(vector, depth))
    by_text, by_vector = _of_best(text), _between(vector, depth)
    scores = {
        chunk: (1 - weight) * by_text.get(chunk, 0.0) + weight * by_vector.get(chunk, 0.0)
        for chunk in by_text.keys() | by_vector.keys()
    }
    return _ordered([*text, *vector], scores)


def rank(candidates: Sequence[Candidate]) -> list[Ranked]:
    """One half alone, best first, with its original scores."""
    return _ordered(candidates, {candidate.chunk: candidate.score for candidate in candidates})


def best_per_document(ranked: Iterable[Ranked]) -> list[Ranked]:
    """The first chunk of each document, in the order given."""
    best: dict[UUID, Ranked] = {}
    for hit in ranked:
        best.setdefault(hit.document_id, hit)
    return list(best.values())


def _ordered(candidates: Sequence[Candidate], scores: Mapping[int, float]) -> list[Ranked]:
    """Equal scores keep the order of the candidates."""
    found = {
        candidate.chunk: Ranked(candidate.chunk, candidate.document_id, scores[candidate.chunk])
        for candidate in candidates
    }
    return sorted(found.values(), key=lambda hit: -hit.score)


def _of_best(candidates: Sequence[Candidate]) -> dict[int, float]:
    best = max((candidate.score for candidate in candidates), default=0.0)
    return {candidate.chunk: candidate.score / best if best > 0 else 0.0 for candidate in candidates}


def _between(candidates: Sequence[Candidate], depth: int) -> dict[int, float]:
    if not candidates:
        return {}
    low = candidates[:depth][-1].score
    span = candidates[0].score - low
    if span <= 0:
        return {candidate.chunk: float(candidate.score >= low) for candidate in candidates}
    return {candidate.chunk: max(0.0, candidate.score - low) / span for candidate in candidates}
