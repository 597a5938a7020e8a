"""Servers that fail on one text, whatever it is sent with: few requests find it, and the others get vectors."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from datetime import timedelta

import httpx2
import orjson
import pytest
from starlette.responses import JSONResponse, Response

from partywall.adapters.embeddings import requests
from partywall.adapters.embeddings.openai import OpenAiEmbedder, OpenAiOptions
from partywall.adapters.embeddings.request_size import GROW_AFTER, GROW_SECONDS, RequestSize
from partywall.adapters.embeddings.requests import MOST_FAILURES
from partywall.core.embedders import EmbeddingUnavailable
from partywall.core.outgoing.endpoints import open_endpoint_client, tls_context
from partywall.core.outgoing.retries import Retries
from tests.adapters.embeddings.endpoint import DIMENSION, Endpoint, pseudo_vector
from tests.adapters.embeddings.test_errors import Rule, at_most, not_about, right, sizes

POISON = 41


@pytest.fixture
async def client() -> AsyncIterator[httpx2.AsyncClient]:
    async with open_endpoint_client(Retries(0), tls_context(None)) as opened:
        yield opened


@pytest.fixture
def embedder(endpoint: Endpoint, client: httpx2.AsyncClient) -> OpenAiEmbedder:
    return OpenAiEmbedder(client, OpenAiOptions(endpoint.url, "a-model", DIMENSION, batch_size=64))


def answering(vector: str, *, left_out: int = 0) -> Rule:
    """Returns 200 with this in place of the poisoned text's vector."""

    def rule(texts: list[str]) -> Response | None:
        if not any("poison" in text for text in texts):
            return None
        vectors = [vector if "poison" in text else orjson.dumps(pseudo_vector(text)).decode() for text in texts]
        items = [f'{{"index": {index}, "embedding": {each}}}' for index, each in enumerate(vectors)]
        return Response(f'{{"data": [{", ".join(items[left_out:])}]}}', media_type="application/json")

    return rule


def when_poisoned(answer: Response) -> Rule:
    return lambda texts: answer if any("poison" in text for text in texts) else None


FAULTS = {
    "401": not_about("poison", 401),
    "404": not_about("poison", 404),
    "429": not_about("poison", 429),
    "503": not_about("poison", 503),
    "NaN": answering(f"[{', '.join(['NaN'] * DIMENSION)}]"),
    "null": answering("null"),
    "too large": answering(f"[{', '.join(['1e300'] * DIMENSION)}]"),
    "another dimension": answering("[1.0]"),
    "another count": answering("[]", left_out=1),
    "no JSON": when_poisoned(Response("<html>")),
    "a redirect": when_poisoned(Response(status_code=302, headers={"Location": "/elsewhere"})),
    "another encoding": when_poisoned(Response(b"x", headers={"Content-Encoding": "gzip"})),
    "a closed connection": when_poisoned(Response(b"{", headers={"Content-Length": "1000"})),
}


@pytest.mark.parametrize("fault", FAULTS)
async def test_one_bad_text_is_found_and_set_aside(endpoint: Endpoint, embedder: OpenAiEmbedder, fault: str) -> None:
    endpoint.rule = FAULTS[fault]
    texts = [f"text {number}" for number in range(200)]
    texts[POISON] = "poison"
    made = await embedder.embed_documents(texts)
    assert made.failed.keys() == {POISON}
    assert (made.refused, made.left, made.unavailable) == ({}, frozenset(), None)
    assert not made.vectors[POISON].any()
    others = [position for position in range(200) if position != POISON]
    assert right(made.vectors[others], [texts[position] for position in others])
    assert len(endpoint.requests) <= 4 + 20, "a few for each half"
    endpoint.requests.clear()
    await embedder.embed_documents([f"text {number}" for number in range(64)])
    assert sizes(endpoint) == [64], "the batch size was not the cause"


async def test_a_single_bad_text_differs_from_an_outage(endpoint: Endpoint, embedder: OpenAiEmbedder) -> None:
    endpoint.rule = FAULTS["503"]
    made = await embedder.embed_documents(["poison"])
    assert made.failed == {0: "the embeddings endpoint answered 503: no"}
    endpoint.rule = not_about("", 503)
    with pytest.raises(EmbeddingUnavailable):
        await embedder.embed_documents(["poison"])


async def test_a_temporary_error_costs_one_retry(endpoint: Endpoint, embedder: OpenAiEmbedder) -> None:
    endpoint.faults.append(lambda: JSONResponse({}, 503))
    made = await embedder.embed_documents(["a", "b"])
    assert (made.failed, made.left) == ({}, frozenset())
    assert sizes(endpoint) == [2, 1, 2]


async def test_many_bad_texts_do_not_keep_the_server_busy(
    endpoint: Endpoint, embedder: OpenAiEmbedder, monkeypatch: pytest.MonkeyPatch
) -> None:
    """One call does as much as it may and leaves the rest to the next."""
    monkeypatch.setattr(requests, "_RETRY_SECONDS", 0.0)
    endpoint.rule = not_about("poison", 404)
    texts = [f"poison {number}" for number in range(64)]
    made = await embedder.embed_documents(texts)
    assert made.failed
    assert made.left == frozenset(range(64)) - made.failed.keys()
    assert made.suspected.keys() == made.left
    assert len(endpoint.requests) <= 2 * MOST_FAILURES


async def test_vectors_made_before_an_outage_are_kept(endpoint: Endpoint, embedder: OpenAiEmbedder) -> None:
    def rule(_: list[str]) -> Response | None:
        return JSONResponse({}, 429, {"Retry-After": "60"}) if len(endpoint.requests) > 1 else None

    endpoint.rule = rule
    texts = [f"text {number}" for number in range(100)]
    made = await embedder.embed_documents(texts)
    assert right(made.vectors[:64], texts[:64])
    assert made.left == frozenset(range(64, 100))
    assert made.unavailable is not None
    assert made.unavailable.retry_after == 60


@pytest.mark.parametrize("alone", [True, False])
async def test_a_text_that_times_out_ends_only_its_call(
    endpoint: Endpoint, client: httpx2.AsyncClient, *, alone: bool
) -> None:
    """The request gets no response within the call's budget, however slow the machine is."""
    endpoint.hold, endpoint.slow = asyncio.Event(), "poison"
    options = OpenAiOptions(endpoint.url, "a-model", DIMENSION, budget=timedelta(seconds=0.1))
    made = await OpenAiEmbedder(client, options).embed_documents(["poison"] if alone else ["a", "poison"])
    endpoint.hold.set()
    assert made.failed.keys() == ({0} if alone else set())
    assert made.suspected.keys() == (set() if alone else {0, 1})
    assert made.unavailable is None


async def test_a_learned_batch_size_grows_again(endpoint: Endpoint, embedder: OpenAiEmbedder) -> None:
    now = 0.0
    embedder._size.clock = lambda: now
    texts = [f"text {number}" for number in range(64)]
    endpoint.rule = at_most(16)
    for seconds, expected in ((0.0, 16), (GROW_SECONDS - 1, 16), (GROW_SECONDS, 32), (2 * GROW_SECONDS, 64)):
        now = seconds
        await embedder.embed_documents(texts)
        endpoint.requests.clear()
        if seconds == GROW_SECONDS - 1:
            endpoint.rule = None
        assert embedder._size.most == expected


def test_a_batch_size_refused_again_grows_later_each_time() -> None:
    size = RequestSize(64, lambda: 0.0)
    size.refused(64)
    grown = []
    for number in range(6 * GROW_AFTER):
        size.took(32)
        size.grow()
        if size.most == 64:
            grown.append(number + 1)
            size.refused(64)
    assert grown == [GROW_AFTER, 3 * GROW_AFTER]
    for _ in range(4 * GROW_AFTER):
        size.took(size.most)
        size.grow()
    assert size.most == 64
