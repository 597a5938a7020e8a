from __future__ import annotations

import pytest

from partywall.core.db.scoped_access import ScopedReader
from partywall.core.tenancy import ProjectNotFoundError
from partywall.features.search import one_search as searching
from partywall.features.search.constants import Breadth
from partywall.features.search.schemas import SearchMode, SearchQuery
from partywall.features.search.service import Answer, SearchService
from partywall.testing.users import Person
from tests.features.search.search_workspace import SearchWorkspace


async def ask(workspace: SearchWorkspace, query: SearchQuery, person: Person | None = None) -> Answer:
    reader = ScopedReader(workspace.resources.reads, (person or workspace.person).principal)
    return await SearchService.of(reader, workspace.resources).search(workspace.project, query)


async def test_an_outsider_finds_no_project(workspace: SearchWorkspace) -> None:
    with pytest.raises(ProjectNotFoundError):
        await ask(workspace, SearchQuery(q="cats"), await workspace.users.person())


async def test_a_long_document_does_not_crowd_out_the_others(
    workspace: SearchWorkspace, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Its chunks are the first ones that both halves look at, many times as many as they keep."""
    monkeypatch.setattr(searching, "NARROW", Breadth(5, 5, 5))
    monkeypatch.setattr(searching, "WIDE", Breadth(100, 2, 20))
    section = "# Cats\n\nCats, cats and cats again: a cat sees a cat. " + "cats " * 160
    long = await workspace.put("All about cats", "\n\n".join([section] * 40))
    text = "Milk, bread, soap and, for once, food for the neighbour's cats."
    short = [await workspace.put(f"Shopping list {number}", f"{text} Week {number}.") for number in range(9)]
    await workspace.index(long, *short)
    for mode in SearchMode:
        answer = await ask(workspace, SearchQuery(q="cats", mode=mode, limit=10))
        found = [hit.document_id for hit in answer.result.items]
        assert (found[0], {*found}, len(found)) == (long, {long, *short}, 10), mode


async def test_bm25_is_bm25(workspace: SearchWorkspace) -> None:
    """Calculated by hand: 3 chunks of 3, 2 and 1 words; `cat` is in two of them, twice in the first."""
    await workspace.index(
        await workspace.put("cat", "cat dog"), await workspace.put("cat", "bird"), await workspace.put("fish", "the")
    )
    found = await bm25(workspace, "cats")
    rare = 0.4700036292457356  # ln(1 + (3 - 2 + 0.5) / (2 + 0.5))
    twice = rare * 2 * 2.2 / (2 + 1.2 * (0.4 + 0.6 * 3 / 2))
    once = rare * 1 * 2.2 / (1 + 1.2 * (0.4 + 0.6 * 2 / 2))
    assert found == pytest.approx([twice, once])


async def bm25(workspace: SearchWorkspace, q: str) -> list[float]:
    answer = await ask(workspace, SearchQuery(q=q, mode=SearchMode.TEXT, explain=True))
    halves = [hit.explanation.text for hit in answer.result.items if hit.explanation is not None]
    return [half.score for half in halves if half is not None]


async def test_a_repeated_query_word_counts_twice(workspace: SearchWorkspace) -> None:
    await workspace.index(await workspace.put("One", "cat"), await workspace.put("Two", "dog"))
    [once], [twice] = await bm25(workspace, "cat"), await bm25(workspace, "cat cats")
    assert twice == pytest.approx(2 * once)


async def test_a_code_weighs_twice_as_much_as_a_word(workspace: SearchWorkspace) -> None:
    await workspace.index(await workspace.put("One", "4021"), await workspace.put("Two", "dog"))
    [code], [word] = await bm25(workspace, "4021"), await bm25(workspace, "dog")
    assert code == pytest.approx(2 * word)


async def test_a_project_without_an_index_has_no_hits(workspace: SearchWorkspace) -> None:
    answer = await ask(workspace, SearchQuery(q="cats", mode=SearchMode.VECTOR))
    assert (answer.result.items, answer.mode) == ([], SearchMode.VECTOR)
