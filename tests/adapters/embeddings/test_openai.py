from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from datetime import timedelta

import httpx2
import numpy as np
import pytest
import structlog
from pydantic import SecretStr
from starlette.responses import JSONResponse, Response

from partywall.adapters.embeddings.openai import OpenAiEmbedder, OpenAiOptions, with_dimension
from partywall.core.embedders import EmbeddingError, TextRefused
from partywall.core.outgoing.circuits import FAILURES_UNTIL_OPEN
from partywall.core.outgoing.endpoints import open_endpoint_client, tls_context
from partywall.core.outgoing.retries import Retries
from tests.adapters.embeddings.endpoint import DIMENSION, Endpoint, pseudo_vector, status


@pytest.fixture
async def client() -> AsyncIterator[httpx2.AsyncClient]:
    async with open_endpoint_client(Retries(4, first=0.001), tls_context(None)) as opened:
        yield opened


def embedder(client: httpx2.AsyncClient, url: str, dimension: int = DIMENSION) -> OpenAiEmbedder:
    return OpenAiEmbedder(client, OpenAiOptions(url, "a-model", dimension, SecretStr("sk-secret")))


async def test_vectors_come_in_the_order_of_the_texts_and_have_length_one(
    client: httpx2.AsyncClient, endpoint: Endpoint
) -> None:
    texts = [f"text {number}" for number in range(150)]
    vectors = (await embedder(client, endpoint.url).embed_documents(texts)).vectors
    assert vectors.shape == (150, DIMENSION)
    assert vectors.dtype == np.float32
    assert np.allclose(np.linalg.norm(vectors, axis=1), 1, atol=1e-5)
    assert np.allclose(vectors[149] * 2, pseudo_vector("text 149"), atol=1e-5)
    assert [len(list(body["input"])) for body in endpoint.requests] == [32, 32, 32, 32, 22]  # type: ignore[call-overload]  # a list, typed as any JSON
    assert endpoint.requests[0]["model"] == "a-model"
    assert set(endpoint.keys) == {"Bearer sk-secret"}


async def test_no_texts_send_no_request(client: httpx2.AsyncClient, endpoint: Endpoint) -> None:
    assert (await embedder(client, endpoint.url).embed_documents([])).vectors.shape == (0, DIMENSION)
    assert endpoint.requests == []


async def test_a_url_with_the_route_is_used_unchanged(client: httpx2.AsyncClient, endpoint: Endpoint) -> None:
    vector = await embedder(client, f"{endpoint.url}/embeddings/").embed_query("a text")
    assert vector.shape == (DIMENSION,)


async def test_temporary_errors_are_retried(client: httpx2.AsyncClient, endpoint: Endpoint) -> None:
    endpoint.faults += [status(503), status(429, **{"Retry-After": "0"}), status(500)]
    await embedder(client, endpoint.url).embed_query("a text")
    assert len(endpoint.requests) == 4


async def test_it_gives_up_in_the_end(client: httpx2.AsyncClient, endpoint: Endpoint) -> None:
    endpoint.faults += [status(503)] * 9
    with pytest.raises(EmbeddingError, match="answered 503"):
        await embedder(client, endpoint.url).embed_query("a text")
    assert len(endpoint.requests) == 5


async def test_a_final_error_is_not_retried_and_shows_no_secret(client: httpx2.AsyncClient, endpoint: Endpoint) -> None:
    problem = {"error": {"message": "no such\nkey: sk-secret"}}
    endpoint.faults.append(lambda: JSONResponse(problem, 401))
    with structlog.testing.capture_logs() as logs, pytest.raises(EmbeddingError, match="answered 401") as raised:
        await embedder(client, endpoint.url).embed_query("a text")
    assert "sk-secret" not in str(raised.value)
    assert [(log["model"], log["status"], log["said"]) for log in logs] == [
        ("a-model", 401, "no such key: ***"),
    ]
    assert len(endpoint.requests) == 1


@pytest.mark.parametrize("code", [400, 413, 422])
async def test_a_refused_text_differs_from_a_failing_endpoint(
    client: httpx2.AsyncClient, endpoint: Endpoint, code: int
) -> None:
    endpoint.faults.append(status(code))
    with pytest.raises(TextRefused):
        await embedder(client, endpoint.url).embed_query("a text")


async def test_an_unreachable_endpoint_is_an_error(client: httpx2.AsyncClient) -> None:
    with pytest.raises(EmbeddingError, match="does not answer"):
        await embedder(client, "http://127.0.0.1:9/v1").embed_query("a text")


async def test_another_dimension_is_refused(client: httpx2.AsyncClient, endpoint: Endpoint) -> None:
    with pytest.raises(EmbeddingError, match="answers 256 dimensions, EMBEDDINGS__DIMENSION says 1536"):
        await embedder(client, endpoint.url, 1536).embed_query("a text")


async def test_an_unknown_dimension_is_asked_for_once(client: httpx2.AsyncClient, endpoint: Endpoint) -> None:
    endpoint.dimension = 77
    options = await with_dimension(client, OpenAiOptions(endpoint.url, "a-model", 0))
    assert await with_dimension(client, options) == options
    assert len(endpoint.requests) == 1
    asked = OpenAiEmbedder(client, options)
    assert (asked.name, asked.dimension) == ("openai:a-model@77", 77)
    assert (await asked.embed_documents(["a text"])).vectors.shape == (1, 77)


@pytest.mark.parametrize(
    ("numbers", "complaint"), [([], "answers 0 dimensions"), ([0.5] * 4001, "answers 4001 dimensions, not 1 to 4000")]
)
async def test_a_dimension_that_cannot_be_stored_is_refused(
    client: httpx2.AsyncClient, endpoint: Endpoint, numbers: list[float], complaint: str
) -> None:
    endpoint.faults.append(lambda: broken({"data": [{"index": 0, "embedding": numbers}]}))
    with pytest.raises(EmbeddingError, match=complaint):
        await with_dimension(client, OpenAiOptions(endpoint.url, "a-model", 0))


def broken(body: object) -> Response:
    return JSONResponse(body)


@pytest.mark.parametrize(
    ("body", "complaint"),
    [
        ({"data": []}, "0 vectors for 1 texts"),
        ({"data": [{"index": 3, "embedding": [1.0]}]}, "vectors for 1 texts"),
        ({"vectors": []}, "not in OpenAI's format"),
        ({"data": [{"index": 0, "embedding": ["x"]}]}, "not in OpenAI's format"),
    ],
)
async def test_an_invalid_response_is_an_error(
    client: httpx2.AsyncClient, endpoint: Endpoint, body: object, complaint: str
) -> None:
    endpoint.faults.append(lambda: broken(body))
    with pytest.raises(EmbeddingError, match=complaint):
        await embedder(client, endpoint.url).embed_query("a text")


async def test_infinite_numbers_are_refused(client: httpx2.AsyncClient, endpoint: Endpoint) -> None:
    numbers = ", ".join(["1e999"] * DIMENSION)
    endpoint.faults.append(
        lambda: Response(f'{{"data": [{{"index": 0, "embedding": [{numbers}]}}]}}', media_type="application/json")
    )
    with pytest.raises(EmbeddingError, match="finite"):
        await embedder(client, endpoint.url).embed_query("a text")


async def test_a_zero_vector_stays_zero(client: httpx2.AsyncClient, endpoint: Endpoint) -> None:
    endpoint.faults.append(lambda: broken({"data": [{"index": 0, "embedding": [0.0] * DIMENSION}]}))
    assert not (await embedder(client, endpoint.url).embed_query("a text")).any()


@pytest.mark.parametrize("call", ["documents", "query", "ping"])
async def test_a_call_never_exceeds_its_time_budget(client: httpx2.AsyncClient, endpoint: Endpoint, call: str) -> None:
    """Each request stays within its own timeout and would be repeated after a pause."""
    endpoint.faults += [status(503, **{"Retry-After": "19"})] * 9
    endpoint.hold = hold = asyncio.Event()
    if call == "query":
        hold.set()
    brief = timedelta(seconds=0.2)
    asked = OpenAiEmbedder(client, OpenAiOptions(endpoint.url, "m", DIMENSION, budget=brief, query_budget=brief))
    calls = {"documents": asked.embed_documents(["x"]), "query": asked.embed_query("x"), "ping": asked.ping()}
    chosen = calls.pop(call)
    for other in calls.values():
        other.close()
    with pytest.raises(EmbeddingError, match=r"within 0\.2 seconds"):
        await chosen
    hold.set()


async def test_a_ping_asks_only_when_no_answer_is_fresh(client: httpx2.AsyncClient, endpoint: Endpoint) -> None:
    asked = embedder(client, endpoint.url)
    await asked.ping()
    await asked.ping()
    assert len(endpoint.requests) == 1
    await asked.close()


async def test_a_ping_fails_with_the_endpoint(client: httpx2.AsyncClient, endpoint: Endpoint) -> None:
    """At once: the probe comes again."""
    endpoint.faults.append(status(500))
    with pytest.raises(EmbeddingError):
        await embedder(client, endpoint.url).ping()
    assert len(endpoint.requests) == 1


async def test_a_ping_of_an_unreachable_endpoint_is_an_embedding_error(client: httpx2.AsyncClient) -> None:
    with pytest.raises(EmbeddingError):
        await embedder(client, "http://127.0.0.1:9/v1").ping()


async def test_an_endpoint_that_fails_is_left_alone(client: httpx2.AsyncClient, endpoint: Endpoint) -> None:
    endpoint.faults += [status(503)] * 20
    asked = embedder(client, endpoint.url)
    for complaint in ("answered 503", "does not answer", "does not answer"):
        with pytest.raises(EmbeddingError, match=complaint):
            await asked.embed_query("a text")
    assert len(endpoint.requests) == FAILURES_UNTIL_OPEN
