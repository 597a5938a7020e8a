"""Any server that speaks OpenAI's `/v1/embeddings`, by URL."""

from __future__ import annotations

import asyncio
import time
from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass
from datetime import timedelta
from typing import Final

import httpx2
import numpy as np
import structlog
from pydantic import BaseModel, SecretStr, ValidationError

from partywall.core.embedding import EmbeddingError, TextRefused, Vectors
from partywall.core.masking import cleaned_words
from partywall.core.outgoing.endpoints import RETRIES

log = structlog.get_logger(__name__)

_BATCH: Final = 64
_MOST_READ: Final = 8_000
_MOST_LOGGED: Final = 500
_REFUSED: Final = frozenset({400, 413, 422})
_FRESH: Final = 60.0


class _Item(BaseModel):
    index: int
    embedding: list[float]


class _Answer(BaseModel):
    data: list[_Item]


@dataclass(frozen=True, slots=True)
class OpenAiOptions:
    url: str
    """The API's base (`.../v1`) or the embeddings route itself."""
    model: str
    dimension: int
    api_key: SecretStr | None = None
    budget: timedelta = timedelta(minutes=5)
    """For all requests of one call together, with their repeats and pauses."""
    query_budget: timedelta = timedelta(seconds=10)
    """The same where a person waits for it."""


class OpenAiEmbedder:
    """Batches, and refuses vectors of another dimension. Retries are the client's, which is for endpoints."""

    def __init__(self, client: httpx2.AsyncClient, options: OpenAiOptions) -> None:
        self._client = client
        self._options = options
        base = options.url.rstrip("/")
        self._url = base if base.endswith("/embeddings") else f"{base}/embeddings"
        self._answered_at = float("-inf")

    @property
    def name(self) -> str:
        return f"openai:{self._options.model}@{self._options.dimension}"

    @property
    def dimension(self) -> int:
        return self._options.dimension

    async def embed_documents(self, texts: Sequence[str]) -> Vectors:
        async with _within(self._options.budget):
            return await self._embed_all(texts)

    async def embed_query(self, text: str) -> Vectors:
        async with _within(self._options.query_budget):
            vectors = await self._embed_all([text])
        return np.asarray(vectors[0], dtype=np.float32)

    async def _embed_all(self, texts: Sequence[str]) -> Vectors:
        vectors = np.zeros((len(texts), self.dimension), dtype=np.float32)
        for start in range(0, len(texts), _BATCH):
            batch = list(texts[start : start + _BATCH])
            vectors[start : start + len(batch)] = await self._embed(batch)
        return vectors

    async def ping(self) -> None:
        """Asks the endpoint unless it has answered within the last minute: a probe must not run up a bill."""
        if time.monotonic() - self._answered_at > _FRESH:
            async with _within(self._options.query_budget):
                self._read(await self._post(["ping"], {RETRIES: 0}), 1)

    async def close(self) -> None:
        """The HTTP client belongs to the process."""

    async def _embed(self, texts: list[str]) -> Vectors:
        return self._read(await self._post(texts, {}), len(texts))

    def _log(self, response: httpx2.Response) -> None:
        said, key = response.content[:_MOST_READ].decode("utf-8", "replace"), self._options.api_key
        if key is not None and key.get_secret_value():
            said = said.replace(key.get_secret_value(), "***")
        words = cleaned_words(said, _MOST_LOGGED)
        log.warning("embedding_refusal", model=self._options.model, status=response.status_code, said=words)

    async def _post(self, texts: list[str], extensions: dict[str, int]) -> httpx2.Response:
        key = self._options.api_key
        headers = {} if key is None else {"Authorization": f"Bearer {key.get_secret_value()}"}
        body = {"model": self._options.model, "input": texts, "encoding_format": "float"}
        try:
            return await self._client.post(self._url, json=body, headers=headers, extensions=extensions)
        except httpx2.TransportError as error:
            raise EmbeddingError(f"the embeddings endpoint does not answer ({type(error).__name__})") from error

    def _read(self, response: httpx2.Response, count: int) -> Vectors:
        if response.status_code != httpx2.codes.OK:
            self._log(response)
        if response.status_code in _REFUSED:
            raise TextRefused(f"the embeddings endpoint answered {response.status_code}")
        if response.status_code != httpx2.codes.OK:
            raise EmbeddingError(f"the embeddings endpoint answered {response.status_code}")
        try:
            items = sorted(_Answer.model_validate_json(response.content).data, key=lambda item: item.index)
        except ValidationError as error:
            raise EmbeddingError("the embeddings endpoint's answer has another shape than OpenAI's") from error
        if [item.index for item in items] != list(range(count)):
            raise EmbeddingError(f"the embeddings endpoint answered {len(items)} vectors for {count} texts")
        found = {len(item.embedding) for item in items} - {self.dimension}
        if found:
            raise EmbeddingError(
                f"the model answers {found.pop()} dimensions, EMBEDDINGS__DIMENSION says {self.dimension}"
            )
        self._answered_at = time.monotonic()
        return _normalised(np.array([item.embedding for item in items], dtype=np.float32))


@asynccontextmanager
async def _within(budget: timedelta) -> AsyncIterator[None]:
    limit = asyncio.timeout(budget.total_seconds())
    try:
        async with limit:
            yield
    except TimeoutError as error:
        if not limit.expired():
            raise
        seconds = budget.total_seconds()
        raise EmbeddingError(f"the embeddings endpoint has not answered within {seconds:g} seconds") from error


def _normalised(vectors: Vectors) -> Vectors:
    if not np.isfinite(vectors).all():
        raise EmbeddingError("the embeddings endpoint answered a vector that is not finite")
    lengths = np.linalg.norm(vectors, axis=1, keepdims=True)
    return np.divide(vectors, lengths, out=np.zeros_like(vectors), where=lengths > 0)
