from __future__ import annotations

import pytest

from partywall.features.search.constants import MAX_QUERY_CHARACTERS
from partywall.features.search.schemas import SearchGroup, SearchMode, SearchQuery
from tests.validation_errors import refused


def test_a_query_is_trimmed_before_its_length_counts() -> None:
    longest = "語" * MAX_QUERY_CHARACTERS
    assert SearchQuery.model_validate({"q": f"  {longest}\n"}).q == longest
    assert refused(SearchQuery, {"q": f"{longest}x"}) == {"q": "string_too_long"}


@pytest.mark.parametrize(("q", "kind"), [("", "string_too_short"), (" \u00a0\u3000\n", "string_too_short")])
def test_a_blank_query_is_refused(q: str, kind: str) -> None:
    assert refused(SearchQuery, {"q": q}) == {"q": kind}


@pytest.mark.parametrize(("q", "kind"), [("a\x00", "nul_byte"), ("\ud800", "lone_surrogate")])
def test_what_the_database_cannot_hold_is_refused(q: str, kind: str) -> None:
    assert kind in refused(SearchQuery, {"q": q}).values()


@pytest.mark.parametrize(
    ("given", "where"),
    [({"limit": "0"}, "limit"), ({"limit": "101"}, "limit"), ({"limit": "1.5"}, "limit"), ({"mode": "Text"}, "mode"),
     ({"group": "passage"}, "group"), ({"status": "deleted"}, "status"), ({"offset": "1"}, "offset")],
)  # fmt: skip
def test_a_search_is_asked_for_within_bounds(given: dict[str, str], where: str) -> None:
    assert list(refused(SearchQuery, {"q": "cats", **given})) == [where]


def test_by_default_documents_are_found_by_words_and_by_meaning() -> None:
    wanted = SearchQuery(q="cats")
    assert (wanted.mode, wanted.group, wanted.limit, wanted.status) == (
        SearchMode.HYBRID, SearchGroup.DOCUMENT, 10, None,
    )  # fmt: skip
