"""Searches by word that read frequent words for the best passages only, compared with BM25 of every passage."""

from __future__ import annotations

import math
from typing import Final

import pytest
from pydantic import JsonValue
from sqlalchemy import text

from partywall.features.search import bm25, kept_passages, one_search, service, term_plan
from partywall.features.search.constants import Breadth
from partywall.features.search.repository import Found, SearchRepository
from tests.features.search.search_workspace import SearchWorkspace

type Hits = list[tuple[str, float]]

DOCUMENTS: Final = 40
# `common` is in all documents, `usual` in half of them, the others in few.
QUERIES: Final = (("apple", "common"), ("berry", "usual", "common"), ("cherry", "apple", "usual"), ("usual", "common"))
FEW: Final = {"apple": 5, "berry": 7, "cherry": 13}
TOP: Final = 2


def words(number: int) -> list[str]:
    """The lengths and frequencies differ, so no two scores are equal."""
    few = [name for name, every in FEW.items() if number % every == 1]
    usual = ["usual"] * (1 + number % 3) if number % 2 else []
    return [*["common"] * (1 + number % 4), *usual, *few, *["filler"] * (number * 7 % 11)]


@pytest.fixture
async def stocked(workspace: SearchWorkspace) -> SearchWorkspace:
    documents = [
        await workspace.put(str(number), " ".join(words(number)), metadata={"side": "left" if number % 3 else "right"})
        for number in range(DOCUMENTS)
    ]
    await workspace.index(*documents)
    return workspace


@pytest.fixture
def pruned(monkeypatch: pytest.MonkeyPatch) -> list[bool]:
    """Prunes from a few postings on. Notes for each statement whether it does."""
    for name in ("NARROW", "MATCHING"):
        monkeypatch.setattr(one_search, name, Breadth(TOP, TOP, TOP))
    for name in ("COMPLETED", "COMPLETED_OF_MATCHING"):
        monkeypatch.setattr(term_plan, name, 4)
    monkeypatch.setattr(term_plan, "CHOOSING", 8)
    made: list[bool] = []
    parameters = bm25.parameters

    def noting(given: term_plan.TermPlan, chunks: int, terms: int) -> dict[str, object]:
        made.append(bool(given.rest))
        return parameters(given, chunks, terms)

    monkeypatch.setattr(bm25, "parameters", noting)
    return made


def ranked(query: tuple[str, ...], kept: set[int]) -> Hits:
    """BM25 of every document; the title is a word of each, too."""
    texts = {number: [str(number), *words(number)] for number in range(DOCUMENTS)}
    average = sum(map(len, texts.values())) / DOCUMENTS

    def score(text: list[str]) -> float:
        total = 0.0
        for word in query:
            times = sum(word in other for other in texts.values())
            rare = math.log(1 + (DOCUMENTS - times + 0.5) / (times + 0.5))
            frequency = text.count(word)
            total += rare * frequency * 2.2 / (frequency + 1.2 * (0.4 + 0.6 * len(text) / average))
        return total

    scores = [(str(number), score(text)) for number, text in texts.items() if number in kept]
    return sorted((each for each in scores if each[1] > 0), key=lambda each: -each[1])[:TOP]


async def found(workspace: SearchWorkspace, query: tuple[str, ...], tree: JsonValue) -> Hits:
    body = {"q": " ".join(query), "mode": "text", "limit": TOP, "explain": True, "filter": tree}
    answer = await workspace.person.client.post(f"/api/v1/projects/{workspace.project}/search", json=body)
    assert answer.status_code == 200, answer.text
    return [(hit["title"], hit["explanation"]["text"]["score"]) for hit in answer.json()["items"]]


@pytest.mark.parametrize("most_kept", [None, kept_passages.MOST_KEPT, 0])
async def test_the_best_are_those_of_all(
    stocked: SearchWorkspace, pruned: list[bool], monkeypatch: pytest.MonkeyPatch, most_kept: int | None
) -> None:
    """Without a filter; with the numbers of the passages that it keeps; and looked up in the order of the scores."""
    tree: JsonValue = None
    kept = set(range(DOCUMENTS))
    if most_kept is not None:
        monkeypatch.setattr(kept_passages, "MOST_KEPT", most_kept)
        tree = {"field": "metadata.side", "op": "eq", "value": "left"}
        kept = {number for number in kept if number % 3}
    for query in QUERIES:
        expected, hits = ranked(query, kept), await found(stocked, query, tree)
        assert [title for title, _ in hits] == [title for title, _ in expected], query
        assert [score for _, score in hits] == pytest.approx([score for _, score in expected]), query
    assert any(pruned) == (most_kept in {None, 0})  # passages with known numbers cost little


async def test_passages_without_the_rarest_words_come_if_too_few_have_them(
    stocked: SearchWorkspace, pruned: list[bool], monkeypatch: pytest.MonkeyPatch
) -> None:
    """Of the three documents that match, one has `apple`."""
    monkeypatch.setattr(kept_passages, "MOST_READ", 0)
    tree: JsonValue = {"field": "title", "op": "in", "value": ["1", "2", "3"]}
    expected = ranked(("apple", "common"), {1, 2, 3})
    hits = await found(stocked, ("apple", "common"), tree)
    assert [title for title, _ in hits] == [title for title, _ in expected]
    assert pruned == [True, False]


async def test_a_large_project_is_planned_for_itself(stocked: SearchWorkspace, monkeypatch: pytest.MonkeyPatch) -> None:
    seen: list[object] = []
    shown = SearchRepository.shown

    async def noting(self: SearchRepository, numbers: list[int]) -> list[Found]:
        seen.append(await self.session.scalar(text("SHOW plan_cache_mode")))
        return await shown(self, numbers)

    monkeypatch.setattr(SearchRepository, "shown", noting)
    await stocked.search("apple")
    monkeypatch.setattr(service, "EXACT_CHUNKS", DOCUMENTS - 1)
    await stocked.search("apple")
    assert seen == ["auto", "force_custom_plan"]
