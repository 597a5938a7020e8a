from __future__ import annotations

from uuid import uuid4

import pytest
from httpx2 import AsyncClient

from partywall.testing.users import Users
from tests.features.search.search_workspace import SearchWorkspace

REFUNDS = "Our refunds reach you within ten days. Write to the shop first."
PARCELS = "A late parcel is sent again, free of charge."
CATS = "The cat sleeps on the warm roof all afternoon."


@pytest.fixture
async def stocked(workspace: SearchWorkspace) -> SearchWorkspace:
    documents = [
        await workspace.put("Refund policy", REFUNDS, status="published"),
        await workspace.put("Parcels", PARCELS),
        await workspace.put("Animals", CATS),
    ]
    await workspace.index(*documents)
    return workspace


async def test_anonymous_is_refused(anonymous: AsyncClient) -> None:
    answer = await anonymous.get(f"/api/v1/projects/{uuid4()}/search", params={"q": "x"})
    assert answer.status_code == 401


async def test_another_project_is_invisible(stocked: SearchWorkspace, users: Users) -> None:
    outsider = await users.person()
    answer = await outsider.client.get(f"/api/v1/projects/{stocked.project}/search", params={"q": "refund"})
    assert answer.status_code == 404
    assert answer.json()["code"] == "project_not_found"


async def test_a_viewer_may_search(stocked: SearchWorkspace, users: Users) -> None:
    viewer = await users.person()
    await users.join(stocked.project, viewer, "viewer")
    answer = await viewer.client.get(f"/api/v1/projects/{stocked.project}/search", params={"q": "refund"})
    assert answer.status_code == 200


async def test_the_hit_has_all_that_the_contract_names(stocked: SearchWorkspace) -> None:
    answer = await stocked.search("refunds")
    assert answer.headers["X-Search-Mode"] == "hybrid"
    hit = answer.json()["items"][0]
    names = {"document_id", "title", "chunk_id", "text", "start", "end", "score", "highlights"}
    names |= {"external_id", "revision", "page", "section", "duplicates", "duplicate_ids", "explanation"}
    assert set(hit) == names
    assert (hit["duplicates"], hit["duplicate_ids"], hit["explanation"]) == (0, [], None)
    assert answer.json()["reranked"] is None
    assert (hit["title"], hit["external_id"], hit["revision"]) == ("Refund policy", None, 1)
    assert (hit["page"], hit["section"]) == (None, None)
    assert REFUNDS[hit["start"] : hit["end"]] == hit["text"]
    assert [hit["text"][span["start"] : span["end"]] for span in hit["highlights"]] == ["refunds"]


async def test_the_section_is_that_of_the_marked_words(workspace: SearchWorkspace) -> None:
    content = "aardvark\n\n# Beta\n\nbumblebee text.\n\n## Gamma\n\ngiraffe text, again a giraffe."
    await workspace.index(await workspace.put("Animals", content, media_type="text/markdown"))
    for words, section in {
        "aardvark": None, "bumblebee": "Beta", "gamma": "Gamma", "giraffe bumblebee": "Gamma", "beta giraffe": "Gamma",
        "text": "Beta",
    }.items():  # fmt: skip
        [hit] = (await workspace.search(words, mode="text")).json()["items"]
        assert (hit["section"], hit["start"]) == (section, 0), words
    [by_meaning] = (await workspace.search("zebra", mode="vector")).json()["items"]
    assert (by_meaning["section"], by_meaning["highlights"]) == (None, [])


async def test_markdown_is_found_and_shown_as_people_read_it(workspace: SearchWorkspace) -> None:
    content = "---\ntitle: x\n---\n# Tides\n\nThe *[harbour](https://zeebrugge.example)* &amp; its **tides**.\n"
    kinds = ("text/markdown", "text/plain")
    await workspace.index(*[await workspace.put("Sea", content, media_type=kind) for kind in kinds])
    marked = {hit["text"]: hit for hit in (await workspace.search("harbour", group="chunk")).json()["items"]}
    hit = marked.pop("Tides\n\nThe harbour & its tides.")
    assert content[hit["start"] : hit["end"]] == content[content.index("# Tides") : -1]
    assert [hit["text"][span["start"] : span["end"]] for span in hit["highlights"]] == ["harbour"]
    assert list(marked) == [content.strip()]
    assert len((await workspace.search("zeebrugge.example", mode="text", group="chunk")).json()["items"]) == 1


@pytest.mark.parametrize("mode", ["hybrid", "text", "vector"])
async def test_every_mode_finds_the_passage(stocked: SearchWorkspace, mode: str) -> None:
    assert (await stocked.titles("late parcels", mode=mode))[0] == "Parcels"


async def test_words_are_stemmed_and_any_of_them_counts(stocked: SearchWorkspace) -> None:
    assert await stocked.titles("refunding elephants", mode="text") == ["Refund policy"]


async def test_meaning_finds_what_words_do_not(stocked: SearchWorkspace) -> None:
    assert await stocked.titles("feline pet", mode="text") == []
    assert (await stocked.titles("feline pet"))[0] == "Animals"


async def test_a_title_counts(stocked: SearchWorkspace) -> None:
    assert await stocked.titles("policy", mode="text") == ["Refund policy"]


async def test_status_filters_both_halves(stocked: SearchWorkspace) -> None:
    for mode in ("hybrid", "text", "vector"):
        assert await stocked.titles("refunds parcel cat", mode=mode, status="published") == ["Refund policy"]


async def test_limit_cuts_off(stocked: SearchWorkspace) -> None:
    assert len(await stocked.titles("refunds parcel cat", limit=2)) == 2


async def test_one_hit_per_document_unless_chunks_are_asked_for(workspace: SearchWorkspace) -> None:
    section = "# Refunds\n\n" + "A refund takes ten days. " * 60
    await workspace.index(
        await workspace.put("Long", section * 3), await workspace.put("Short", "Nothing of the kind.")
    )
    assert (await workspace.titles("refund")).count("Long") == 1
    assert (await workspace.titles("refund", group="chunk", mode="text")).count("Long") == 3


async def test_an_empty_project_has_no_hits(workspace: SearchWorkspace) -> None:
    for mode in ("hybrid", "text", "vector"):
        assert await workspace.titles("anything", mode=mode) == []


@pytest.mark.parametrize(
    "params",
    [
        {},
        {"q": ""},
        {"q": "  "},
        {"q": "a\x00b"},
        {"q": "x" * 1001},
        {"q": "x", "limit": 0},
        {"q": "x", "limit": 101},
        {"q": "x", "mode": "magic"},
        {"q": "x", "group": "page"},
        {"q": "x", "status": "gone"},
        {"q": "x", "min_score": 1.1},
        {"q": "x", "min_score": "nan"},
        {"q": "x", "explain": "perhaps"},
        {"q": "x", "colour": "red"},
    ],
    ids=str,
)
async def test_a_bad_question_is_refused(workspace: SearchWorkspace, params: dict[str, str | int]) -> None:
    answer = await workspace.person.client.get(f"/api/v1/projects/{workspace.project}/search", params=params)
    assert answer.status_code == 422, answer.text
    assert answer.headers["content-type"] == "application/problem+json"


@pytest.mark.parametrize(
    "q", ["the of and", "'; DROP TABLE chunk; --", "\\", "a:*&!|()<->", "\u202e\U0001f600", "% _ '' \"", "x" * 1000]
)
async def test_an_odd_question_is_no_error(stocked: SearchWorkspace, q: str) -> None:
    for mode in ("hybrid", "text", "vector"):
        assert (await stocked.search(q, mode=mode)).status_code == 200


async def test_projects_do_not_share_their_statistics(stocked: SearchWorkspace, users: Users) -> None:
    """Scores and hits of a project do not change when another project adds the same words."""
    before = (await stocked.search("refunds parcel", mode="text", explain="true")).json()
    other = SearchWorkspace(
        users, stocked.person, await stocked.person.project("Other"), stocked.resources, stocked.database
    )
    await other.index(*[await other.put(f"Refund {number}", "refunds and parcel") for number in range(20)])
    assert (await stocked.search("refunds parcel", mode="text", explain="true")).json() == before
