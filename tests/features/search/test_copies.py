"""Documents with the same text are one hit, and hide no other, however many they are."""

from __future__ import annotations

from collections.abc import Sequence
from itertools import product

import pytest

from partywall.features.search import copy_counts, kept_passages
from partywall.features.search.constants import CANDIDATES, MOST_DUPLICATES, Breadth
from partywall.features.search.schemas import SearchGroup, SearchHit
from tests.features.search.search_workspace import SearchWorkspace

PARCELS = "A late parcel is sent again, free of charge."
REFUNDS = "Our refunds reach you within ten days. Write to the shop first."


async def hits(workspace: SearchWorkspace, q: str, **asked: object) -> list[SearchHit]:
    answer = await workspace.person.client.post(f"/api/v1/projects/{workspace.project}/search", json={"q": q, **asked})
    assert answer.status_code == 200, answer.text
    return [SearchHit.model_validate(each) for each in answer.json()["items"]]


def titles(found: Sequence[SearchHit]) -> list[str]:
    return [each.title for each in found]


async def test_documents_with_the_same_text_are_one_hit(workspace: SearchWorkspace) -> None:
    refunds, draft = await workspace.put("Refunds", REFUNDS), await workspace.put("Parcels", PARCELS)
    copies = [
        await workspace.put(f"Copy {number}", PARCELS, status="published") for number in range(MOST_DUPLICATES + 1)
    ]
    await workspace.index(refunds, draft, *copies)
    hit, *others = await hits(workspace, "late parcel", limit=2)
    assert hit.text == PARCELS
    assert titles(others) == ["Refunds"]
    assert (hit.duplicates, len(hit.duplicate_ids)) == (len(copies), MOST_DUPLICATES)
    assert {draft, *copies} > {hit.document_id, *hit.duplicate_ids}
    assert hit.document_id not in hit.duplicate_ids
    published = {"field": "status", "op": "eq", "value": "published"}
    [only] = await hits(workspace, "late parcel", filter=published)
    assert (only.text, only.duplicates) == (PARCELS, MOST_DUPLICATES)


async def test_white_space_line_ends_and_byte_order_marks_make_no_other_text(workspace: SearchWorkspace) -> None:
    text = "Fees of the port\n\n1 23 for a ship\n4 56 for a boat"
    same = [text, f"{text}\n \n", text.replace("\n", "\r\n"), f"\ufeff{text}", text.replace(" ", "  \t"), f"\n{text}"]
    other = [text.replace("1 23", "12 3"), text.replace("Fees", "fees")]
    await workspace.index(*[await workspace.put("Fees", each) for each in (*same, *other)])
    assert sorted(hit.duplicates for hit in await hits(workspace, "fees")) == [0, 0, len(same) - 1]
    passages = await hits(workspace, "fees", group="chunk")
    assert sorted(hit.duplicates for hit in passages) == [0, 0, len(same) - 1]


async def test_empty_documents_are_not_copies(workspace: SearchWorkspace) -> None:
    made = [
        await workspace.put(f"Minutes of {day}", text) for day, text in (("Monday", ""), ("Friday", ""), ("May", " "))
    ]
    await workspace.index(*made)
    assert len(await hits(workspace, "minutes")) == 3


async def test_passages_of_copies_are_folded_and_those_of_a_document_are_not(workspace: SearchWorkspace) -> None:
    content = "\n\n".join(f"# Part {number}\n\n" + "A refund takes ten days. " * 40 for number in range(3))
    await workspace.index(*[await workspace.put(title, content) for title in ("One", "Two")])
    found = await hits(workspace, "refund", group="chunk")
    assert len({hit.start for hit in found}) == len(found) == 3
    assert [hit.duplicates for hit in found] == [1, 1, 1]


async def test_copies_beyond_the_candidates_hide_no_other(workspace: SearchWorkspace) -> None:
    copies = [await workspace.put("Cats", "cats cats cats") for _ in range(CANDIDATES + 10)]
    other = await workspace.put("A list", "Milk, bread, soap and, for once, food for the neighbour's cats.")
    await workspace.index(*copies, other)
    found = await hits(workspace, "cats", limit=2)
    assert titles(found) == ["Cats", "A list"]
    assert found[0].duplicates == len(copies) - 1


@pytest.fixture
def small_rounds(monkeypatch: pytest.MonkeyPatch) -> None:
    """All rounds are full of a few copies."""
    rounds = {"NARROW": 3, "MATCHING": 3, "MORE": 6, "WIDE": 6, "DIFFERENT": 6, "DIFFERENT_CHUNKS": 6}
    for name, candidates in rounds.items():
        breadth = Breadth(candidates, 3, candidates, folds=name.startswith("DIFFERENT"))
        monkeypatch.setattr(f"partywall.features.search.one_search.{name}", breadth)


@pytest.mark.usefixtures("small_rounds")
async def test_copies_that_fill_each_round_hide_no_other(
    workspace: SearchWorkspace, monkeypatch: pytest.MonkeyPatch
) -> None:
    """In the last round they are folded before the cut, with and without a filter, whichever way it is applied."""
    copies = [await workspace.put("Cats" * (1 + number % 2), "cats cats cats") for number in range(12)]
    lists = [f"Milk, bread, soap and, for once, food for cats. List {number}." for number in range(4)]
    await workspace.index(*copies, *[await workspace.put("A list", text) for text in lists])
    hidden = await workspace.put("Cats", "cats cats cats and dogs", status="published")
    await workspace.index(hidden)
    draft = {"field": "status", "op": "eq", "value": "draft"}
    for most_kept, mode, group in product((kept_passages.MOST_READ, 0), ("text", "vector", "hybrid"), SearchGroup):
        monkeypatch.setattr(kept_passages, "MOST_READ", most_kept)
        found = await hits(workspace, "cats", limit=5, mode=mode, group=group, filter=draft)
        assert sorted(titles(found)[1:]) == ["A list"] * 4, (most_kept, mode, group)
        assert found[0].text == "cats cats cats"
        every = await hits(workspace, "cats", limit=6, mode=mode, group=group)
        assert len({hit.text for hit in every}) == 6, (mode, group)


@pytest.mark.usefixtures("small_rounds")
async def test_all_copies_count_however_few_the_search_looks_at(workspace: SearchWorkspace) -> None:
    """Not those in the trash, nor those that the filter leaves out; the text begins with an empty line."""
    content = "\n\n" + "\n\n".join(f"# Part {number}\n\n" + "A refund takes ten days. " * 40 for number in range(3))
    copies = [await workspace.put("Refunds", content, status="draft") for _ in range(9)]
    copies += [await workspace.put("Refunds", content, status="published") for _ in range(4)]
    await workspace.index(*copies, await workspace.put("Parcels", PARCELS))
    published = {"field": "status", "op": "eq", "value": "published"}
    for mode, group in product(("text", "vector", "hybrid"), SearchGroup):
        first = (await hits(workspace, "refund", mode=mode, group=group, limit=1))[0]
        assert (first.duplicates, first.duplicate_ids) == (12, sorted({*copies} - {first.document_id})), (mode, group)
        first = (await hits(workspace, "refund", mode=mode, group=group, limit=1, filter=published))[0]
        assert first.duplicates == 3
    address = f"/api/v1/projects/{workspace.project}/documents/{copies[0]}"
    assert (await workspace.person.client.delete(address)).status_code == 204
    first = (await hits(workspace, "refund", limit=1))[0]
    assert (first.duplicates, copies[0] in first.duplicate_ids) == (11, False)


async def test_so_many_copies_are_counted_as_the_limit_allows(
    workspace: SearchWorkspace, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(copy_counts, "MOST_COUNTED", 4)
    monkeypatch.setattr(copy_counts, "MOST_COUNTED_TOGETHER", 12)
    await workspace.index(*[await workspace.put("Parcels", PARCELS) for _ in range(6)])
    assert [(await hits(workspace, "parcel", limit=limit))[0].duplicates for limit in (2, 6)] == [4, 2]


@pytest.mark.usefixtures("small_rounds")
async def test_copies_in_one_half_hide_no_other_there(workspace: SearchWorkspace) -> None:
    """The other half finds enough different texts."""
    copies = [await workspace.put("Fault", "E-4021 E-4021 E-4021") for _ in range(12)]
    near = [await workspace.put("Vessels", f"What a ship pays in a harbour, part {number}.") for number in range(8)]
    other = await workspace.put("Diary", "Rain all day, so we stayed inside and played chess. The heater said E-4021.")
    await workspace.index(*copies, *near, other)
    assert "Diary" in titles(await hits(workspace, "code 4021, and the price for boats at the seaport", limit=3))
