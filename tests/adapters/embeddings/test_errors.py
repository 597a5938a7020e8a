"""Servers that refuse as TEI, OpenAI and Ollama do: no text is lost, and what worked is remembered."""

from __future__ import annotations

from collections.abc import AsyncIterator, Callable

import httpx2
import numpy as np
import pytest
from starlette.responses import JSONResponse, Response

from partywall.adapters.embeddings import requests
from partywall.adapters.embeddings.openai import OpenAiEmbedder, OpenAiOptions, said_by
from partywall.core.embedders import EmbeddingUnavailable
from partywall.core.outgoing.endpoints import open_endpoint_client, tls_context
from partywall.core.outgoing.retries import Retries
from tests.adapters.embeddings.endpoint import DIMENSION, Endpoint, pseudo_vector, status

type Rule = Callable[[list[str]], Response | None]


@pytest.fixture(autouse=True)
def at_once(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(requests, "_RETRY_SECONDS", 0.0)


@pytest.fixture
async def embedder(endpoint: Endpoint) -> AsyncIterator[OpenAiEmbedder]:
    async with open_endpoint_client(Retries(4, first=0.001), tls_context(None)) as client:
        yield OpenAiEmbedder(client, OpenAiOptions(endpoint.url, "a-model", DIMENSION, batch_size=64))


def at_most(count: int) -> Rule:
    """Limits the batch, as TEI (32) and some gateways (10) do."""

    def rule(texts: list[str]) -> Response | None:
        message = f"batch size {len(texts)} > maximum allowed batch size {count}"
        return JSONResponse({"error": message, "error_type": "Validation"}, 422) if len(texts) > count else None

    return rule


def no_longer_than(characters: int, code: int) -> Rule:
    """Limits the text's length, as OpenAI (400) and TEI (413) do; Ollama answers 500."""

    def rule(texts: list[str]) -> Response | None:
        problem = {"error": {"message": "This model's maximum context length is 512 tokens", "type": "invalid"}}
        return JSONResponse(problem, code) if any(len(text) > characters for text in texts) else None

    return rule


def not_about(word: str, code: int) -> Rule:
    return lambda texts: JSONResponse({"detail": "no"}, code) if any(word in text for text in texts) else None


def sizes(endpoint: Endpoint) -> list[int]:
    return [len(list(body["input"])) for body in endpoint.requests]  # type: ignore[call-overload]  # a list, typed as any JSON


def right(vectors: np.ndarray[tuple[int, ...], np.dtype[np.float32]], texts: list[str]) -> bool:
    return np.allclose(vectors * 2, [pseudo_vector(text) for text in texts], atol=1e-5)


@pytest.mark.parametrize("most", [32, 10])
async def test_a_batch_that_is_too_large_is_halved_and_the_size_remembered(
    endpoint: Endpoint, embedder: OpenAiEmbedder, most: int
) -> None:
    endpoint.rule = at_most(most)
    texts = [f"text {number}" for number in range(150)]
    made = await embedder.embed_documents(texts)
    assert right(made.vectors, texts)
    assert (made.refused, made.shortened) == ({}, frozenset())
    endpoint.requests.clear()
    await embedder.embed_documents(texts)
    assert max(sizes(endpoint)) == {32: 32, 10: 8}[most], "nothing is refused any more"


@pytest.mark.parametrize("code", [400, 413, 500])
async def test_a_text_that_is_too_long_is_shortened_and_no_other(
    endpoint: Endpoint, embedder: OpenAiEmbedder, code: int
) -> None:
    endpoint.rule = no_longer_than(600, code)
    texts = [f"text {number}" for number in range(20)]
    texts[7] = "long " * 400
    made = await embedder.embed_documents(texts)
    assert made.refused == {}
    assert made.shortened == {7}
    texts[7] = ("long " * 400)[:500]
    assert right(made.vectors, texts)
    endpoint.requests.clear()
    await embedder.embed_documents([f"text {number}" for number in range(64)])
    assert sizes(endpoint) == [64], "the batch size was not the cause"


@pytest.mark.parametrize("code", [400, 422, 500])
async def test_a_text_that_is_refused_has_no_vector_and_the_reason(
    endpoint: Endpoint, embedder: OpenAiEmbedder, code: int
) -> None:
    endpoint.rule = not_about("poison", code)
    made = await embedder.embed_documents(["a", "poison", "b", "c"])
    assert made.refused == {1: f"the embeddings endpoint answered {code}: no"}
    assert not made.vectors[1].any()
    assert right(made.vectors[[0, 2, 3]], ["a", "b", "c"])


async def test_one_refused_text_differs_from_a_server_that_refuses_all(
    endpoint: Endpoint, embedder: OpenAiEmbedder
) -> None:
    endpoint.rule = not_about("", 400)
    with pytest.raises(EmbeddingUnavailable, match="answered 400: no"):
        await embedder.embed_documents(["a", "b"])
    endpoint.rule = not_about("poison", 400)
    assert (await embedder.embed_documents(["poison"])).refused


async def test_an_unreachable_server_is_not_tried_text_by_text(endpoint: Endpoint, embedder: OpenAiEmbedder) -> None:
    endpoint.rule = not_about("", 500)
    with pytest.raises(EmbeddingUnavailable, match="answered 500"):
        await embedder.embed_documents([f"text {number}" for number in range(64)])
    assert len(endpoint.requests) == 2


class TimeoutTransport(httpx2.AsyncHTTPTransport):
    """Raises the timeout at once, instead of after 30 seconds, for requests that contain the word."""

    word = b"poison"

    async def handle_async_request(self, request: httpx2.Request) -> httpx2.Response:
        if self.word in request.content:
            raise httpx2.ReadTimeout("no answer", request=request)
        return await super().handle_async_request(request)


async def test_a_text_that_times_out_is_separated_from_its_batch(endpoint: Endpoint) -> None:
    async with httpx2.AsyncClient(transport=(transport := TimeoutTransport())) as client:
        asked = OpenAiEmbedder(client, OpenAiOptions(endpoint.url, "a-model", DIMENSION))
        made = await asked.embed_documents(["a", "poison"])
        assert made.failed == {1: "the embeddings endpoint does not answer (ReadTimeout)"}
        assert right(made.vectors[:1], ["a"])
        transport.word = b""
        with pytest.raises(EmbeddingUnavailable, match="does not answer"):
            await asked.embed_documents(["a", "b"])


@pytest.mark.parametrize("code", [429, 502, 503, 529, 401, 404])
async def test_errors_that_no_text_causes_say_how_long_to_wait(
    endpoint: Endpoint, embedder: OpenAiEmbedder, code: int
) -> None:
    endpoint.faults += [status(code, **{"Retry-After": "120"}), status(code)]
    with pytest.raises(EmbeddingUnavailable, match=f"answered {code}: no") as raised:
        await embedder.embed_documents(["a", "b"])
    assert raised.value.retry_after == 120
    assert sizes(endpoint) == [2, 1], "the second is sent: it is harmless, and the indexer has other work"


@pytest.mark.parametrize(
    ("content", "expected"),
    [
        (b'{"error":{"message":"too\\nlong","type":"x"}}', "too long"),
        (b'{"error":"batch size","error_type":"Validation"}', "batch size"),
        (b'{"object":"error","message":"context length"}', "context length"),
        (b'{"detail":[{"loc":["input"]}]}', '{"detail":[{"loc":["input"]}]}'),
        (b"<html>Bad\x00 Gateway</html>", "<html>Bad Gateway</html>"),
        (b'"' + b"x" * 100_000, '"' + "x" * 498 + "…"),
        (b'{"error":"key hidden was refused"}', "key *** was refused"),
        (b"", ""),
    ],
)
def test_the_servers_message_is_kept_short_and_without_keys(content: bytes, expected: str) -> None:
    assert said_by(content, "hidden") == expected
