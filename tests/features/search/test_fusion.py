from __future__ import annotations

from uuid import UUID

import pytest
from hypothesis import strategies as st

from partywall.core.similarity import SimilarityScale
from partywall.features.search.fusion import (
    MEANING,
    Candidate,
    Place,
    Ranked,
    by_document,
    by_vector,
    fuse,
)
from tests.properties import given

NUMBERS = st.integers(-1000, 1000).map(float)  # distinct numbers stay distinct after scaling
SCALE = SimilarityScale(unrelated=0.2, alike=0.7)
WIDE_SCALE = SimilarityScale(unrelated=0, alike=1000)


def candidates(scores: dict[int, float], whole: float = 1.0) -> list[Candidate]:
    """Candidates, best first, as from one half of the search."""
    found = [Candidate(chunk, UUID(int=chunk // 10), score, whole=whole) for chunk, score in scores.items()]
    return sorted(found, key=lambda candidate: (-candidate.score, candidate.chunk))


def fused(text: dict[int, float], vector: dict[int, float], scale: SimilarityScale | None = SCALE) -> list[Ranked]:
    return fuse(candidates(text), candidates(vector), depth=200, scale=scale)


def order(text: dict[int, float], vector: dict[int, float], scale: SimilarityScale | None = SCALE) -> list[int]:
    return [hit.chunk for hit in fused(text, vector, scale)]


HALF = st.dictionaries(st.integers(0, 50), NUMBERS, max_size=30)
WORDS = st.dictionaries(st.integers(0, 50), st.integers(0, 1000).map(float), max_size=30)
SCALES = st.sampled_from([None, WIDE_SCALE])

DISTINCT = st.lists(st.integers(-1000, 1000).map(float), unique=True, max_size=30).map(
    lambda them: dict(enumerate(them))
)


@given(WORDS, HALF, SCALES)
def test_everything_found_is_ranked_by_its_score(
    text: dict[int, float], vector: dict[int, float], scale: SimilarityScale | None
) -> None:
    hits = fused(text, vector, scale)
    scores = [hit.score for hit in hits]
    assert scores == sorted(scores, reverse=True)
    assert all(score >= 0 for score in scores)
    assert {hit.chunk for hit in hits} == text.keys() | vector.keys()


@given(HALF, SCALES)
def test_without_words_the_order_is_the_vectors(vector: dict[int, float], scale: SimilarityScale | None) -> None:
    best = [vector[chunk] for chunk in order({}, vector, scale)]
    assert best == sorted(best, reverse=True)
    assert len(best) == len(vector)


@given(WORDS)
def test_without_vectors_the_order_is_the_words(text: dict[int, float]) -> None:
    best = [text[chunk] for chunk in order(text, {})]
    assert best == sorted(best, reverse=True)


def test_the_parts_are_added() -> None:
    """Both squared; similarities count from the last candidate's, on the model's own scale."""
    hits = fuse(candidates({1: 6.0, 2: 3.0}, whole=10.0), candidates({2: 0.5, 3: 0.4, 4: 0.1}), depth=200, scale=SCALE)
    scores = {hit.chunk: hit.score for hit in hits}
    assert scores == pytest.approx({1: 0.6**2, 2: 0.3**2 + MEANING * 0.8**2, 3: MEANING * 0.6**2, 4: 0})


def test_what_both_halves_find_comes_first() -> None:
    assert order({1: 0.5, 2: 0.49}, {2: 0.6, 3: 0.62, 4: 0.1})[0] == 2


def test_a_passage_with_all_the_words_outweighs_a_near_meaning() -> None:
    assert order({1: 1.0, 2: 0.1}, {2: 0.5, 3: 0.55, 1: 0.3, 4: 0.1}) == [1, 3, 2, 4]


def test_a_few_common_words_do_not() -> None:
    """The best match of words is a poor one, however far it is ahead of the others."""
    assert order({1: 0.2, 2: 0.01}, {2: 0.5, 3: 0.6, 1: 0.3, 4: 0.1})[:2] == [3, 2]


def test_a_model_that_tells_nothing_apart_moves_little() -> None:
    """As with a language that it was not made for."""
    assert order({1: 0.3, 2: 0.2}, {2: 0.74, 3: 0.73, 1: 0.7, 4: 0.65}) == [1, 2, 3, 4]


@given(WORDS, DISTINCT, st.integers(1, 10))
def test_looking_wider_changes_no_order_further_up(
    text: dict[int, float], vector: dict[int, float], depth: int
) -> None:
    """A larger limit does not change the scores of the first hits."""
    for scale in (None, WIDE_SCALE):
        narrow = fuse(candidates(text), candidates(vector)[:depth], depth=depth, scale=scale)
        wide = fuse(candidates(text), candidates(vector), depth=depth, scale=scale)
        scores = {hit.chunk: hit.score for hit in wide}
        assert all(scores[hit.chunk] == hit.score for hit in narrow)


def test_equal_scores_keep_the_order_of_the_chunks() -> None:
    assert order({9: 1.0, 3: 1.0, 5: 1.0}, {}) == [3, 5, 9]


def test_each_document_is_met_once_with_its_best_passages() -> None:
    documents = by_document(fused({11: 1.0, 12: 3.0, 13: 0.3, 14: 0.2, 25: 2.0, 31: 0.5, 32: 0.4}, {}))
    assert [[hit.chunk for hit in passages] for passages in documents] == [[12, 11, 13], [25], [31, 32]]


def test_a_phrase_adds_to_the_words() -> None:
    """A whole one counts as much as having each word once."""
    [hit] = fuse(candidates({1: 6.0}, whole=10.0), (), depth=200, scale=SCALE)
    scores = [hit._replace(phrase=share).score for share in (0.0, 0.5, 1.0)]
    assert scores == pytest.approx([0.6**2, 0.6625**2, 1.6**2])


def test_nothing_found_is_nothing() -> None:
    assert fused({}, {}) == by_vector([]) == []


def test_a_hit_has_its_places_in_both_halves() -> None:
    hits = fused({1: 5.0, 2: 4.0}, {2: 0.9, 3: 0.8})
    places = {hit.chunk: (hit.text, hit.vector) for hit in hits}
    assert places == {
        1: (Place(1, 5.0, 0.0), None),
        2: (Place(2, 4.0, 0.0), Place(1, 0.9, 0.0)),
        3: (None, Place(2, 0.8, 0.0)),
    }
