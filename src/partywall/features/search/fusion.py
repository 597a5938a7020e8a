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
    """A chunk that one half found. The score is BM25 for text, the cosine similarity for vectors.

    `share`, of text alone, is how much of the query the chunk has: 1 if all of its words, each counted by its rarity.
    """

    chunk: int
    document_id: UUID
    score: float
    share: float = 0.0


@dataclass(frozen=True, slots=True)
class Place:
    """What one half found: the rank from 1, and the candidate's score and share."""

    rank: int
    score: float
    share: float


@dataclass(frozen=True, slots=True)
class Ranked:
    """`text` and `vector` are the chunk's places in the halves; None in one that did not find it."""

    chunk: int
    document_id: UUID
    score: float
    text: Place | None = None
    vector: Place | None = None


def fuse(
    text: Sequence[Candidate], vector: Sequence[Candidate], *, depth: int, weight: float = VECTOR_WEIGHT
) -> list[Ranked]:
    """The convex combination of both halves, best first, with scores within 0..1. Expects each half best first.

    Text scores are divided by the best one. Similarities have no natural zero, so they are scaled between that of the
    `depth`-th candidate and the best: more candidates do not change the order above. A chunk that one half did not find
    scores 0 there. If a half is empty, the other keeps its order.
    """
    if not text or not vector:
        return _ordered(text, vector, _of_best(text) if text else _between(vector, depth))
    by_text, by_vector = _of_best(text), _between(vector, depth)
    scores = {
        chunk: (1 - weight) * by_text.get(chunk, 0.0) + weight * by_vector.get(chunk, 0.0)
        for chunk in by_text.keys() | by_vector.keys()
    }
    return _ordered(text, vector, scores)


def by_text(text: Sequence[Candidate]) -> list[Ranked]:
    """The text half alone, with its original scores."""
    return _ordered(text, (), {each.chunk: each.score for each in text})


def by_vector(vector: Sequence[Candidate]) -> list[Ranked]:
    """The vector half alone, with its original scores."""
    return _ordered((), vector, {each.chunk: each.score for each in vector})


def best_per_document(ranked: Iterable[Ranked]) -> list[Ranked]:
    """The first chunk of each document, in the order given."""
    best: dict[UUID, Ranked] = {}
    for hit in ranked:
        best.setdefault(hit.document_id, hit)
    return list(best.values())


def _ordered(text: Sequence[Candidate], vector: Sequence[Candidate], scores: Mapping[int, float]) -> list[Ranked]:
    """Equal scores keep the order of the candidates."""
    of_text, of_vector = _places(text), _places(vector)
    found = {
        each.chunk: Ranked(
            each.chunk, each.document_id, scores[each.chunk], of_text.get(each.chunk), of_vector.get(each.chunk)
        )
        for each in (*text, *vector)
    }
    return sorted(found.values(), key=lambda hit: -hit.score)


def _places(candidates: Sequence[Candidate]) -> dict[int, Place]:
    return {each.chunk: Place(rank, each.score, each.share) for rank, each in enumerate(candidates, start=1)}


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
