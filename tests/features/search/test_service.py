from __future__ import annotations

import pytest

from partywall.core.db.scoped_read import ScopedReader
from partywall.core.tenancy import ProjectNotFoundError
from partywall.features.search.schemas import SearchMode, SearchQuery
from partywall.features.search.service import Answer, SearchService
from tests.features.search.library import Shelf
from tests.people import Person


async def ask(shelf: Shelf, query: SearchQuery, person: Person | None = None) -> Answer:
    reader = ScopedReader(shelf.resources.reads, (person or shelf.person).principal)
    return await SearchService.of(reader, shelf.resources).search(shelf.project, query)


async def test_a_stranger_finds_no_project(shelf: Shelf) -> None:
    with pytest.raises(ProjectNotFoundError):
        await ask(shelf, SearchQuery(q="cats"), await shelf.people.person())


async def test_a_long_document_does_not_crowd_out_the_others(shelf: Shelf) -> None:
    """Its chunks take every place among the first candidates of both halves."""
    section = "# Cats\n\nCats, cats and cats again: a cat sees a cat. " + "cats " * 160
    long = await shelf.put("All about cats", "\n\n".join([section] * 230))
    short = await shelf.put("A shopping list", "Milk, bread, soap and, for once, food for the neighbour's cats.")
    await shelf.index(long, short)
    for mode in SearchMode:
        answer = await ask(shelf, SearchQuery(q="cats", mode=mode))
        assert [hit.document_id for hit in answer.result.items] == [long, short], mode


async def test_each_mode_has_scores_of_its_own(shelf: Shelf) -> None:
    await shelf.index(await shelf.put("Cats", "The cat sleeps."), await shelf.put("Dogs", "The dog barks at a cat."))
    scores = {
        mode: [hit.score for hit in (await ask(shelf, SearchQuery(q="cat", mode=mode))).result.items]
        for mode in SearchMode
    }
    assert all(found == sorted(found, reverse=True) and len(found) == 2 for found in scores.values())
    assert scores[SearchMode.HYBRID][0] == 1
    assert -1 <= scores[SearchMode.VECTOR][1] <= scores[SearchMode.VECTOR][0] <= 1


async def test_bm25_is_bm25(shelf: Shelf) -> None:
    """Worked by hand: 3 chunks of 3, 2 and 1 words; `cat` is in two of them, twice in the first."""
    await shelf.index(await shelf.put("cat", "cat dog"), await shelf.put("cat", "bird"), await shelf.put("fish", "the"))
    hits = (await ask(shelf, SearchQuery(q="cats", mode=SearchMode.TEXT))).result.items
    rare = 0.4700036292457356  # ln(1 + (3 - 2 + 0.5) / (2 + 0.5))
    twice = rare * 2 * 2.2 / (2 + 1.2 * (0.25 + 0.75 * 3 / 2))
    once = rare * 1 * 2.2 / (1 + 1.2 * (0.25 + 0.75 * 2 / 2))
    assert [hit.score for hit in hits] == pytest.approx([twice, once])


async def test_a_word_that_is_asked_twice_counts_twice(shelf: Shelf) -> None:
    await shelf.index(await shelf.put("One", "cat"), await shelf.put("Two", "dog"))
    once = (await ask(shelf, SearchQuery(q="cat", mode=SearchMode.TEXT))).result.items[0].score
    twice = (await ask(shelf, SearchQuery(q="cat cats", mode=SearchMode.TEXT))).result.items[0].score
    assert twice == pytest.approx(2 * once)


async def test_a_project_without_an_index_has_no_hits(shelf: Shelf) -> None:
    answer = await ask(shelf, SearchQuery(q="cats", mode=SearchMode.VECTOR))
    assert (answer.result.items, answer.mode) == ([], SearchMode.VECTOR)
