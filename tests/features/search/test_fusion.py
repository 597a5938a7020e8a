from __future__ import annotations

from uuid import UUID

from hypothesis import strategies as st

from partywall.features.search.fusion import Candidate, Place, best_per_document, by_text, by_vector, fuse
from tests.properties import given

NUMBERS = st.integers(-1000, 1000).map(float)  # distinct numbers stay distinct after scaling


def candidates(scores: dict[int, float]) -> list[Candidate]:
    """Candidates, best first, as from one half of the search."""
    found = [Candidate(chunk, UUID(int=chunk // 10), score) for chunk, score in scores.items()]
    return sorted(found, key=lambda candidate: (-candidate.score, candidate.chunk))


def order(text: dict[int, float], vector: dict[int, float], weight: float = 0.3) -> list[int]:
    return [hit.chunk for hit in fuse(candidates(text), candidates(vector), depth=200, weight=weight)]


HALF = st.dictionaries(st.integers(0, 50), NUMBERS, max_size=30)
WORDS = st.dictionaries(st.integers(0, 50), st.integers(0, 1000).map(float), max_size=30)

DISTINCT = st.lists(st.integers(-1000, 1000).map(float), unique=True, max_size=30).map(
    lambda them: dict(enumerate(them))
)


@given(WORDS, HALF)
def test_scores_lie_within_bounds_and_fall(text: dict[int, float], vector: dict[int, float]) -> None:
    hits = fuse(candidates(text), candidates(vector), depth=200)
    scores = [hit.score for hit in hits]
    assert scores == sorted(scores, reverse=True)
    assert all(0 <= score <= 1 for score in scores)
    assert {hit.chunk for hit in hits} == text.keys() | vector.keys()


@given(HALF)
def test_without_words_the_order_is_the_vectors(vector: dict[int, float]) -> None:
    assert {*order({}, vector)} == {*vector}
    best = [vector[chunk] for chunk in order({}, vector)]
    assert best == sorted(best, reverse=True)


@given(WORDS)
def test_without_vectors_the_order_is_the_words(text: dict[int, float]) -> None:
    best = [text[chunk] for chunk in order(text, {})]
    assert best == sorted(best, reverse=True)


def test_what_both_halves_find_comes_first() -> None:
    assert order({1: 5.0, 2: 4.9}, {2: 0.9, 3: 0.95, 4: 0.1})[0] == 2


def test_a_clear_match_of_words_outweighs_a_near_meaning() -> None:
    assert order({1: 10.0, 2: 1.0}, {2: 0.5, 3: 0.9, 1: 0.4}) == [1, 3, 2]


def test_the_weight_decides() -> None:
    text, vector = {1: 10.0, 2: 1.0}, {2: 0.9, 1: 0.1}
    assert order(text, vector, 0.0)[0] == 1
    assert order(text, vector, 1.0)[0] == 2


@given(WORDS, DISTINCT, st.integers(1, 10))
def test_looking_wider_changes_no_order_further_up(
    text: dict[int, float], vector: dict[int, float], depth: int
) -> None:
    """A larger limit does not change the scores of the first hits."""
    narrow = fuse(candidates(text), candidates(vector)[:depth], depth=depth)
    wide = fuse(candidates(text), candidates(vector), depth=depth)
    scores = {hit.chunk: hit.score for hit in wide}
    if vector:
        assert all(scores[hit.chunk] == hit.score for hit in narrow)


def test_equal_scores_keep_the_order_of_the_chunks() -> None:
    assert [hit.chunk for hit in by_text(candidates({9: 1.0, 3: 1.0, 5: 1.0}))] == [3, 5, 9]


def test_each_document_is_met_once_at_its_best() -> None:
    hits = best_per_document(by_text(candidates({11: 1.0, 12: 3.0, 25: 2.0, 31: 0.5, 32: 0.4})))
    assert [hit.chunk for hit in hits] == [12, 25, 31]


def test_nothing_found_is_nothing() -> None:
    assert fuse([], [], depth=200) == by_text([]) == by_vector([]) == []


def test_a_hit_has_its_places_in_both_halves() -> None:
    hits = fuse(candidates({1: 5.0, 2: 4.0}), candidates({2: 0.9, 3: 0.8}), depth=200)
    places = {hit.chunk: (hit.text, hit.vector) for hit in hits}
    assert places == {
        1: (Place(1, 5.0, 0.0), None),
        2: (Place(2, 4.0, 0.0), Place(1, 0.9, 0.0)),
        3: (None, Place(2, 0.8, 0.0)),
    }
