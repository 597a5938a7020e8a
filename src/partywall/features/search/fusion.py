"""Fuses the two halves of hybrid search into one ranking."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from typing import Final, NamedTuple
from uuid import UUID

from partywall.core.similarity import SimilarityScale

MEANING: Final = 1.5
"""How much two texts that belong together count, where 1 is a passage with each of the query's words once.

Chosen on the SciFact train queries and on two of the judged sets; see docs/reference/benchmarks.md.
"""

PHRASE: Final = 4
"""A whole phrase counts as much as each of its words once, half of one a sixteenth. Chosen in the same way."""

PASSAGES: Final = 3
"""Of a document, among which the one to show is chosen by its phrases."""


class Candidate(NamedTuple):
    """A chunk that one half found. The score is BM25 for text, the cosine similarity for vectors.

    Of text alone, `share` is how much of the query the chunk has: 1 if all of its words, each counted by its rarity;
    `whole` is the score of a chunk of average length that has each of them once.
    """

    chunk: int
    document_id: UUID
    score: float
    share: float = 0.0
    whole: float = 1.0


class Place(NamedTuple):
    """What one half found: the rank from 1, and the candidate's score and share."""

    rank: int
    score: float
    share: float


class Ranked(NamedTuple):
    """`text` and `vector` are the chunk's places in the halves; None in one that did not find it.

    `words` is how much of the query's words it has, and `meaning` how near it is; `phrase` is the share of the query's
    neighbouring words that are neighbours in it too.
    """

    chunk: int
    document_id: UUID
    words: float
    meaning: float
    text: Place | None = None
    vector: Place | None = None
    phrase: float = 0.0

    @property
    def score(self) -> float:
        """Small shares of words mean little, and parts of phrases less."""
        return (self.words + self.phrase**PHRASE) ** 2 + self.meaning


def fuse(
    text: Sequence[Candidate], vector: Sequence[Candidate], *, depth: int, scale: SimilarityScale | None
) -> list[Ranked]:
    """Adds how much of the query's words a passage has and how near it is in meaning. Expects each half best first.

    Both parts say how good a match is, not only which is better: a half that found nothing good moves little. The score
    of words is divided by that of a passage with each of them once. Similarities count from that of the `depth`-th
    candidate, so a passage that the half did not find has 0, and more candidates do not change the order above. Both
    are squared: small matches and small differences mean little. If a half is empty, the other keeps its order.
    """
    return _ordered(text, vector, _meaning(vector, depth, scale))


def by_vector(vector: Sequence[Candidate]) -> list[Ranked]:
    """The vector half alone, with its original scores."""
    return _ordered((), vector, {each.chunk: each.score for each in vector})


def by_document(ranked: Iterable[Ranked]) -> list[list[Ranked]]:
    """The first PASSAGES chunks of each document, in the order given."""
    passages: dict[UUID, list[Ranked]] = {}
    for hit in ranked:
        its = passages.setdefault(hit.document_id, [])
        if len(its) < PASSAGES:
            its.append(hit)
    return list(passages.values())


def _ordered(text: Sequence[Candidate], vector: Sequence[Candidate], meaning: Mapping[int, float]) -> list[Ranked]:
    """Equal scores keep the order of the candidates."""
    words = {each.chunk: each.score / each.whole for each in text}
    of_text, of_vector = _places(text), _places(vector)
    found = {
        (chunk := each.chunk): Ranked(
            chunk, each.document_id, words.get(chunk, 0.0), meaning.get(chunk, 0.0),
            of_text.get(chunk), of_vector.get(chunk),
        )
        for each in (*text, *vector)
    }  # fmt: skip
    return sorted(found.values(), key=lambda hit: -hit.score)


def _places(candidates: Sequence[Candidate]) -> dict[int, Place]:
    return {each.chunk: Place(rank, each.score, each.share) for rank, each in enumerate(candidates, start=1)}


def _meaning(vector: Sequence[Candidate], depth: int, scale: SimilarityScale | None) -> dict[int, float]:
    """Without a scale, the best candidate counts as one that belongs to the query."""
    if not vector:
        return {}
    lowest = vector[:depth][-1].score
    span = vector[0].score - lowest if scale is None else scale.alike - scale.unrelated
    if span <= 0:
        return {each.chunk: 0.0 for each in vector}
    return {each.chunk: MEANING * (max(0.0, each.score - lowest) / span) ** 2 for each in vector}
