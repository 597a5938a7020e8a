"""Reranking by any server with a `/rerank` route: Cohere's and Jina's form, or that of text-embeddings-inference."""

from __future__ import annotations

import asyncio
import math
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import timedelta
from typing import Annotated, Final

import httpx2
from pydantic import AliasChoices, BaseModel, Field, JsonValue, SecretStr, StrictInt, TypeAdapter, ValidationError

from partywall.core.rerankers import RerankError

MOST_BYTES: Final = 1024 * 1024
"""An answer may have so many. Servers may repeat the texts in it."""
MOST_CHARACTERS: Final = 4_000
"""Of each text that is sent."""


class _Result(BaseModel):
    index: StrictInt
    score: Annotated[
        float,
        Field(strict=True, allow_inf_nan=False, validation_alias=AliasChoices("relevance_score", "score")),
    ]


class _Results(BaseModel):
    results: list[_Result]


_ANSWER: Final = TypeAdapter[_Results | list[_Result]](_Results | list[_Result])


@dataclass(frozen=True, slots=True)
class EndpointReranker:
    client: httpx2.AsyncClient
    url: str
    """The API's base or the `/rerank` route itself."""
    model: str | None
    """Without one, the request has the form of text-embeddings-inference, which serves a single model."""
    key: SecretStr | None
    candidates: int
    timeout: timedelta
    """For one search, with retries."""

    async def score(self, query: str, texts: Sequence[str]) -> list[float]:
        seconds = self.timeout.total_seconds()
        try:
            async with asyncio.timeout(seconds):
                answer = await self._ask(query, [text[:MOST_CHARACTERS] for text in texts])
        except TimeoutError as error:
            raise RerankError(f"the reranker has not answered within {seconds:g} seconds") from error
        except httpx2.RequestError as error:
            raise RerankError(f"the reranker does not answer ({type(error).__name__})") from error
        return _probabilities(_scores(answer, len(texts)))

    async def _ask(self, query: str, texts: list[str]) -> bytes:
        base, headers = self.url.rstrip("/"), {"Accept-Encoding": "identity"}
        if self.key is not None:
            headers["Authorization"] = f"Bearer {self.key.get_secret_value()}"
        url = base if base.endswith("/rerank") else f"{base}/rerank"
        async with self.client.stream("POST", url, json=self._body(query, texts), headers=headers) as response:
            if response.status_code != httpx2.codes.OK:  # what it says may repeat the texts, or the key
                raise RerankError(f"the reranker answered {response.status_code}")
            return await _read(response)

    def _body(self, query: str, texts: list[str]) -> dict[str, JsonValue]:
        if self.model is None:
            return {"query": query, "texts": [*texts], "truncate": True}
        return {"model": self.model, "query": query, "documents": [*texts], "top_n": len(texts)}


async def _read(response: httpx2.Response) -> bytes:
    if response.headers.get("content-encoding", "identity") != "identity":
        raise RerankError("the reranker's answer is compressed, which was not asked for")
    answer = bytearray()
    async for part in response.aiter_bytes():
        answer += part
        if len(answer) > MOST_BYTES:
            raise RerankError(f"the reranker's answer has more than {MOST_BYTES} bytes")
    return bytes(answer)


def _scores(answer: bytes, count: int) -> list[float]:
    """Exactly one for each text, in their order."""
    try:
        found = _ANSWER.validate_json(answer)
    except ValidationError as error:
        raise RerankError("the reranker's answer has no known form, or a score that is not a finite number") from error
    results = found.results if isinstance(found, _Results) else found
    by_index = {each.index: each.score for each in results}
    if len(results) != count or by_index.keys() != set(range(count)):
        raise RerankError(f"the reranker answered {len(results)} scores for {count} texts, or wrong indexes")
    return [by_index[index] for index in range(count)]


def _probabilities(scores: list[float]) -> list[float]:
    """Most servers answer probabilities; others answer logits, of which some are outside of 0..1."""
    if all(0 <= score <= 1 for score in scores):
        return scores
    return [0.5 + 0.5 * math.tanh(score / 2) for score in scores]
