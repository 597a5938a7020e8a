"""How well a passage fits a query, within 0..1 and comparable across queries, unlike the fused score."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

from partywall.core.similarity import SimilarityScale
from partywall.features.search.fusion import Ranked
from partywall.features.search.schemas import SearchMode


def scores(ranked: Sequence[Ranked], mode: SearchMode, scale: SimilarityScale | None) -> Iterator[float]:
    """The mean of two shares: of the query's words that the passage has, and of its likeness in meaning.

    None rises above the one before it: a passage that is shown later does not fit better.
    """
    score = 1.0
    for hit in ranked:
        score = min(score, _fit(hit, mode, scale))
        yield score


def _fit(hit: Ranked, mode: SearchMode, scale: SimilarityScale | None) -> float:
    words = 0.0 if hit.text is None else hit.text.share
    if mode is SearchMode.TEXT or (scale is None and mode is SearchMode.HYBRID):
        return words
    similarity = 0.0 if hit.vector is None else hit.vector.score
    meaning = min(1.0, max(0.0, similarity)) if scale is None else scale.share(similarity)
    return meaning if mode is SearchMode.VECTOR else (words + meaning) / 2
