"""Measures of a ranking, each within 0..1: `found` are ids of documents, best first, `grades` the judgements."""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping, Sequence
from typing import Final

type Measure = Callable[[Sequence[str], Mapping[str, int]], float]


def ndcg(found: Sequence[str], grades: Mapping[str, int], depth: int = 10) -> float:
    """Normalised discounted cumulative gain, with the grade itself as gain."""
    ideal = sorted(grades.values(), reverse=True)
    return _gain([grades.get(document, 0) for document in found[:depth]]) / _gain(ideal[:depth])


def recall(found: Sequence[str], grades: Mapping[str, int], depth: int = 100) -> float:
    relevant = {document for document, grade in grades.items() if grade > 0}
    return len(relevant & {*found[:depth]}) / len(relevant)


def reciprocal_rank(found: Sequence[str], grades: Mapping[str, int]) -> float:
    rank = first_match(found, grades)
    return 0.0 if rank is None else 1 / rank


def hit(found: Sequence[str], grades: Mapping[str, int], depth: int = 3) -> float:
    """1 if a matching document is among the first."""
    return float(any(grades.get(document, 0) > 0 for document in found[:depth]))


def first_match(found: Sequence[str], grades: Mapping[str, int]) -> int | None:
    """The rank, from 1, of the first matching document."""
    return next((rank for rank, document in enumerate(found, start=1) if grades.get(document, 0) > 0), None)


def _gain(grades: Sequence[int]) -> float:
    return sum(grade / math.log2(rank + 2) for rank, grade in enumerate(grades))


MEASURES: Final[Mapping[str, Measure]] = {"nDCG@10": ndcg, "recall@100": recall, "MRR": reciprocal_rank, "hit@3": hit}
