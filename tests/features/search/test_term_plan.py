from __future__ import annotations

import pytest

from partywall.features.search import term_plan
from partywall.features.search.term_plan import AskedTerm, complete, plan


def asked(**times: int) -> list[AskedTerm]:
    return [AskedTerm(term, 1, ["english"], count) for term, count in times.items()]


def chosen(terms: list[AskedTerm], looked_at: int) -> list[str]:
    planned = plan(terms, 200_000, looked_at)
    assert planned is not None
    assert {each.term for each in complete(planned).choosing} == {each.term for each in terms}
    return [each.term for each in planned.choosing]


@pytest.mark.parametrize(
    ("times", "looked_at", "choosing"),
    [
        ({"common": 90_000, "rare": 4_000, "usual": 12_000}, 200, ["rare", "usual"]),
        ({"common": 90_000}, 200, ["common"]),
        ({"common": 90_000, "rare": 10}, 200, ["rare", "common"]),  # the rare word has too few passages
        ({"common": 90_000, "rare": 4_000}, 20_000, ["rare", "common"]),  # so many passages are wanted
        ({"common": 9_000, "rare": 4_000}, 200, ["rare", "common"]),  # a small project
    ],
)
def test_the_rarest_terms_choose(times: dict[str, int], looked_at: int, choosing: list[str]) -> None:
    assert chosen(asked(**times), looked_at) == choosing


def test_a_filter_wants_more_passages_to_choose_from() -> None:
    terms = asked(common=90_000, rare=4_000)
    planned = [plan(terms, 200_000, 100, filters=filters) for filters in (False, True)]
    assert [[len(each.choosing), each.completed] for each in planned if each is not None] == [
        [1, 100 * term_plan.COMPLETED],
        [2, 100 * term_plan.COMPLETED_OF_MATCHING],
    ]


def test_the_whole_is_that_of_the_language_that_asks_least() -> None:
    terms = [AskedTerm("a", 1, ["english", "german"], 5), AskedTerm("b", 1, ["german"], 5)]
    planned = plan(terms, 100, 200)
    assert planned is not None
    assert planned.whole == pytest.approx(terms[0].information(100))


def test_no_term_needs_no_plan() -> None:
    assert plan([], 100, 200) is None
