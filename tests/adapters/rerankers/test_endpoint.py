"""The three forms of answers, and servers that answer wrongly, too much, too late or not at all."""

from __future__ import annotations

import asyncio
import gzip
import json
import math
from collections.abc import AsyncIterator, Callable
from datetime import timedelta

import pytest
from pydantic import SecretStr
from starlette.responses import JSONResponse, Response, StreamingResponse

from partywall.adapters.rerankers.endpoint import MOST_BYTES, MOST_CHARACTERS, EndpointReranker
from partywall.core.outgoing.endpoints import open_endpoint_client, tls_context
from partywall.core.outgoing.retries import Retries
from partywall.core.rerankers import RerankError
from tests.adapters.rerankers.server import RerankServer, Results, rerank_server

TEXTS = ["a dog", "cat cat", "a cat"]
MINUTE = timedelta(minutes=1)


@pytest.fixture
async def server() -> AsyncIterator[RerankServer]:
    async with rerank_server() as running:
        yield running


async def scores(
    url: str, texts: list[str] = TEXTS, model: str | None = "m", within: timedelta = MINUTE, key: str | None = None
) -> list[float]:
    async with open_endpoint_client(Retries(1, first=0.001), tls_context(None)) as client:
        secret = None if key is None else SecretStr(key)
        return await EndpointReranker(client, url, model, secret, 30, within).score("cat", texts)


async def test_cohere_and_jina_get_a_model_and_documents(server: RerankServer) -> None:
    assert await scores(f"{server.url}/v2", key="k-1") == [0, 1, 0.5]
    assert server.bodies == [{"model": "m", "query": "cat", "documents": TEXTS, "top_n": 3}]
    assert server.keys == ["Bearer k-1"]


async def test_tei_gets_texts_and_is_known_by_its_missing_model(server: RerankServer) -> None:
    assert await scores(f"{server.url}/rerank", model=None) == [0, 1, 0.5]
    assert server.bodies == [{"query": "cat", "texts": TEXTS, "truncate": True}]
    assert server.keys == [None]


async def test_logits_become_probabilities(server: RerankServer) -> None:
    server.answer = lambda _: JSONResponse([{"index": 0, "score": -800}, {"index": 1, "score": 2.0}])
    assert await scores(server.url, TEXTS[:2]) == pytest.approx([0, 1 / (1 + math.exp(-2))])


async def test_a_long_text_is_cut(server: RerankServer) -> None:
    await scores(server.url, ["cat " * MOST_CHARACTERS], model=None)
    assert server.bodies[0]["texts"] == [("cat " * MOST_CHARACTERS)[:MOST_CHARACTERS]]


def raw(body: str) -> Callable[[Results], Response]:
    return lambda _: Response(body, media_type="application/json")


def item(index: object, score: object) -> dict[str, object]:
    return {"index": index, "relevance_score": score}


def results(*items: dict[str, object]) -> Callable[[Results], Response]:
    return raw(json.dumps({"results": items}))


GOOD = (item(0, 0.1), item(1, 0.2))

HOSTILE: dict[str, Callable[[Results], Response]] = {
    "an index twice": results(*GOOD, item(1, 0.3)),
    "an index beyond the texts": results(*GOOD, item(3, 0.3)),
    "a negative index": results(*GOOD, item(-1, 0.3)),
    "one missing": results(*GOOD),
    "too many": results(*(item(index, 0.5) for index in range(4))),
    "no number": results(*GOOD, item(2, "0.3")),
    "NaN": results(*GOOD, item(2, math.nan)),
    "infinite": raw('{"results": [' + ",".join(f'{{"index": {each}, "score": 1e999}}' for each in range(3)) + "]}"),
    "no score": results(*GOOD, {"index": 2}),
    "a page": raw("<html>"),
    "deep": raw("[" * 100_000),
    "null": raw("null"),
    "too large": lambda _: StreamingResponse(iter([b" " * 65_536] * (MOST_BYTES // 65_536 + 1))),
    "packed": lambda _: Response(gzip.compress(b"{}"), headers={"Content-Encoding": "gzip"}),
    "an error": lambda _: JSONResponse({"message": "the key k-1 cannot rank 'a dog'"}, 402),
    "busy": lambda _: JSONResponse({}, 503),
    "elsewhere": lambda _: Response(status_code=307, headers={"Location": "http://127.0.0.1:9/rerank"}),
}  # fmt: skip


@pytest.mark.parametrize("kind", HOSTILE)
async def test_a_wrong_answer_is_refused(server: RerankServer, kind: str) -> None:
    server.answer = HOSTILE[kind]
    with pytest.raises(RerankError) as refusal:
        await scores(server.url, key="k-1")
    assert "k-1" not in str(refusal.value)
    assert "dog" not in str(refusal.value)


async def test_a_server_that_is_away_or_silent_is_not_waited_for(server: RerankServer) -> None:
    with pytest.raises(RerankError, match="does not answer"):
        await scores("http://127.0.0.1:9")
    never = asyncio.Event()

    async def nothing() -> AsyncIterator[bytes]:
        await never.wait()
        yield b""

    server.answer = lambda _: StreamingResponse(nothing())
    with pytest.raises(RerankError, match="has not answered within"):
        await scores(server.url, within=timedelta(seconds=0.2))
    never.set()
