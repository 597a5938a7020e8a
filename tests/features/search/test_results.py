"""What people see of a search: calibrated scores, their explanation, folded copies, and the order of a reranker."""

from __future__ import annotations

from collections.abc import AsyncIterator
from dataclasses import replace
from datetime import timedelta

import pytest
from starlette.responses import JSONResponse

from partywall.adapters.rerankers.endpoint import EndpointReranker
from partywall.core.db.scoped_access import ScopedReader
from partywall.core.outgoing.endpoints import open_endpoint_client, tls_context
from partywall.core.outgoing.retries import Retries
from partywall.features.search.schemas import SearchMode, SearchQuery, SearchResult
from partywall.features.search.service import SearchService
from tests.adapters.rerankers.server import RerankServer, rerank_server
from tests.features.search.search_workspace import SearchWorkspace

TEXTS = {
    "Refunds": "Our refunds reach you within ten days. Write to the shop first.",
    "Parcels": "A late parcel is sent again, free of charge.",
    "Animals": "The cat sleeps on the warm roof all afternoon.",
    "Trams": "Trams run until midnight, and on Saturdays all night.",
    "Wine": "Red wine is kept in a cool and dark cellar.",
}


@pytest.fixture
async def stocked(workspace: SearchWorkspace) -> SearchWorkspace:
    await workspace.index(*[await workspace.put(title, text) for title, text in TEXTS.items()])
    return workspace


async def ask(workspace: SearchWorkspace, query: SearchQuery, server: RerankServer | None = None) -> SearchResult:
    reader = ScopedReader(workspace.resources.reads, workspace.person.principal)
    async with open_endpoint_client(Retries(0), tls_context(None)) as client:
        limit = timedelta(minutes=1)
        reranker = None if server is None else EndpointReranker(client, server.url, "m", None, 3, limit)
        resources = replace(workspace.resources, reranker=reranker)
        return (await SearchService.of(reader, resources).search(workspace.project, query)).result


def titles(result: SearchResult) -> list[str]:
    return [hit.title for hit in result.items]


@pytest.mark.parametrize("mode", SearchMode)
async def test_nonsense_scores_below_a_question(stocked: SearchWorkspace, mode: SearchMode) -> None:
    """In each mode the best hit for a question is far above that for random letters, and scores never rise."""
    for question in ("when do refunds reach me", "a late parcel", "where does the cat sleep"):
        scores = [hit.score for hit in (await ask(stocked, SearchQuery(q=question, mode=mode))).items]
        assert 0.5 < scores[0] <= 1
        assert scores == sorted(scores, reverse=True)
    for nonsense in ("xqzv blorf", "wkjh", "zzgrl pfft vrmbl refunds"):
        found = await ask(stocked, SearchQuery(q=nonsense, mode=mode))
        assert all(hit.score < 0.4 for hit in found.items), nonsense


async def test_a_threshold_leaves_out_what_fits_worse(stocked: SearchWorkspace) -> None:
    every = (await ask(stocked, SearchQuery(q="a late parcel"))).items
    assert len(every) > 1
    kept = await ask(stocked, SearchQuery(q="a late parcel", min_score=every[0].score))
    assert titles(kept) == ["Parcels"]
    assert (await ask(stocked, SearchQuery(q="xqzv blorf", min_score=0.5))).items == []


async def test_a_hit_is_explained_on_request(stocked: SearchWorkspace) -> None:
    assert (await ask(stocked, SearchQuery(q="late refunds"))).items[0].explanation is None
    found = {hit.title: hit for hit in (await ask(stocked, SearchQuery(q="late refunds", explain=True))).items}
    shown = {title: hit.explanation for title, hit in found.items()}
    first, trams = shown["Refunds"], shown["Trams"]
    assert first is not None
    assert first.text is not None
    assert first.vector is not None
    assert trams is not None
    assert {first.text.rank, shown["Parcels"].text.rank} == {1, 2}  # type: ignore[union-attr]  # both have a word
    assert first.text.share == pytest.approx(0.5, abs=0.01)
    assert -1 <= first.vector.score <= 1
    assert (trams.text, first.rerank) == (None, None)
    fused = [each.fused for each in shown.values() if each is not None]
    assert fused == sorted(fused, reverse=True)


@pytest.fixture
async def server() -> AsyncIterator[RerankServer]:
    async with rerank_server() as running:
        yield running


async def test_a_reranker_decides_the_order(stocked: SearchWorkspace, server: RerankServer) -> None:
    before = await ask(stocked, SearchQuery(q="all", mode=SearchMode.VECTOR))
    server.answer = lambda results: JSONResponse(
        [{"index": each, "score": each / len(results)} for each in range(len(results))]
    )
    after = await ask(stocked, SearchQuery(q="all", mode=SearchMode.VECTOR, explain=True), server)
    assert titles(after) == [*reversed(titles(before)[:3]), *titles(before)[3:]]
    assert after.reranked is True
    assert before.reranked is None
    scores = [hit.score for hit in after.items]
    assert scores[:3] == pytest.approx([2 / 3, 1 / 3, 0], abs=1e-4)
    assert scores[3:] == [0, 0]
    assert [hit.explanation.rerank for hit in after.items if hit.explanation] == pytest.approx(
        [2 / 3, 1 / 3, 0, None, None]
    )
    [sent] = server.bodies
    assert f"{before.items[0].title}\n{before.items[0].text}" in sent["documents"]  # type: ignore[operator]  # a list


async def test_more_are_reranked_than_shown(stocked: SearchWorkspace, server: RerankServer) -> None:
    third = titles(await ask(stocked, SearchQuery(q="all", mode=SearchMode.VECTOR)))[2]
    server.answer = lambda results: JSONResponse([{"index": each, "score": each / 10} for each in range(len(results))])
    assert titles(await ask(stocked, SearchQuery(q="all", mode=SearchMode.VECTOR, limit=1), server)) == [third]


async def test_without_an_answer_of_the_reranker_the_order_stays_and_this_is_said(
    stocked: SearchWorkspace, server: RerankServer
) -> None:
    before = await ask(stocked, SearchQuery(q="late refunds"))
    server.answer = lambda _: JSONResponse({"message": "down"}, 500)
    after = await ask(stocked, SearchQuery(q="late refunds"), server)
    assert (after.items, after.reranked) == (before.items, False)
    assert len(server.bodies) == 1
    nothing = await ask(stocked, SearchQuery(q="xqzv", mode=SearchMode.TEXT), server)
    assert (nothing.items, nothing.reranked, len(server.bodies)) == ([], None, 1)
