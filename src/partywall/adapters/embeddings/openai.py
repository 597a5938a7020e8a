"""Embeddings from any server with OpenAI's `/v1/embeddings` API."""

from __future__ import annotations

import asyncio
import time
from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass, replace
from datetime import timedelta
from typing import Final

import httpx2
import numpy as np
import orjson
import structlog
from pydantic import BaseModel, JsonValue, SecretStr, ValidationError

from partywall.adapters.embeddings.request_size import RequestSize
from partywall.adapters.embeddings.requests import Fault, RequestFailed, Requests, new_vectors
from partywall.core.embedders import EmbeddingError, EmbeddingUnavailable, TextRefused, TextVectors, Vectors
from partywall.core.log_masks import one_clean_line
from partywall.core.outgoing.endpoints import RETRIES, CircuitOpenConnectError
from partywall.core.outgoing.retries import seconds_asked

log = structlog.get_logger(__name__)

_MOST_READ: Final = 8_000
_MOST_LOGGED: Final = 500
# Smaller or shorter requests may succeed after these. Some servers answer 500 instead of refusing.
_REFUSED: Final = frozenset({400, 413, 422})
_BROKEN: Final = 500
# Nothing was sent, so no text can be the cause. It may be for all other errors.
_UNREACHED: Final = (httpx2.ConnectError, httpx2.ConnectTimeout, httpx2.PoolTimeout)
_SILENT: Final = (httpx2.ReadTimeout, httpx2.WriteTimeout)
_FRESH: Final = 60.0
_MOST_DIMENSIONS: Final = 4000


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
    """0 if the endpoint is to be asked, see `with_dimension`."""
    api_key: SecretStr | None = None
    budget: timedelta = timedelta(minutes=5)
    """For all requests of one call, with retries and pauses."""
    query_budget: timedelta = timedelta(seconds=10)
    """The same for a search query, for which a user waits."""
    batch_size: int = 32
    """Texts per request; temporarily fewer after the server has refused so many."""


class OpenAiEmbedder:
    """Refuses vectors of another dimension. The HTTP client retries queries; the indexer retries documents."""

    def __init__(self, client: httpx2.AsyncClient, options: OpenAiOptions) -> None:
        self._client = client
        self._options = options
        base = options.url.rstrip("/")
        self._url = base if base.endswith("/embeddings") else f"{base}/embeddings"
        self._size = RequestSize(options.batch_size)
        self._answered_at = float("-inf")

    @property
    def name(self) -> str:
        return name_of(self._options)

    @property
    def dimension(self) -> int:
        return self._options.dimension

    @property
    def is_quick(self) -> bool:
        return False

    def reads(self, text: str) -> bool:  # noqa: ARG002 - the model's tokens are not known
        return True

    async def embed_documents(self, texts: Sequence[str]) -> TextVectors:
        requests = Requests(self._embed, self._size, texts, new_vectors(len(texts), self.dimension))
        try:
            try:
                async with _within(self._options.budget):
                    await requests.run()
            except _OverdueError:
                async with _within(self._options.query_budget):
                    await requests.give_up()
        except EmbeddingUnavailable as error:
            return requests.outcome(error)
        return requests.outcome()

    async def embed_query(self, text: str) -> Vectors:
        async with _within(self._options.query_budget):
            response = await self._post([text], {})
        if response.status_code in _REFUSED:
            raise TextRefused(self._complaint(response))
        return np.asarray(self._read(response, 1)[0], dtype=np.float32)

    async def ping(self) -> None:
        """Calls the endpoint unless it has answered within the last minute, because calls may cost money."""
        if time.monotonic() - self._answered_at > _FRESH:
            async with _within(self._options.query_budget):
                self._read(await self._post(["ping"], {RETRIES: 0}), 1)

    async def close(self) -> None:
        """The HTTP client belongs to the process."""

    async def _embed(self, texts: list[str]) -> Vectors:
        try:
            response = await self._post(texts, {RETRIES: 0})
            if response.status_code in _REFUSED:
                raise RequestFailed(self._complaint(response), Fault.REFUSED)
            if response.status_code == _BROKEN:
                raise RequestFailed(self._complaint(response), Fault.BROKEN)
            return self._read(response, len(texts))
        except EmbeddingUnavailable as error:
            if isinstance(error.__cause__, _UNREACHED):
                raise
            fault = Fault.SLOW if isinstance(error.__cause__, _SILENT) else Fault.FAILED
            raise RequestFailed(str(error), fault, error.retry_after) from error

    def _complaint(self, response: httpx2.Response) -> str:
        """The server's message in one short line without keys; logs it too."""
        key = self._options.api_key
        words = said_by(response.content, None if key is None else key.get_secret_value())
        log.warning("embedding_refusal", model=self._options.model, status=response.status_code, said=words)
        return f"the embeddings endpoint answered {response.status_code}: {words}"

    async def _post(self, texts: list[str], extensions: dict[str, int]) -> httpx2.Response:
        key = self._options.api_key
        headers = {} if key is None else {"Authorization": f"Bearer {key.get_secret_value()}"}
        body = {"model": self._options.model, "input": texts, "encoding_format": "float"}
        try:
            return await self._client.post(self._url, json=body, headers=headers, extensions=extensions)
        except CircuitOpenConnectError as error:
            raise EmbeddingUnavailable(
                "the embeddings endpoint does not answer", error.after, by_all=error.by_all
            ) from error
        except httpx2.RequestError as error:
            message = f"the embeddings endpoint does not answer ({type(error).__name__})"
            raise EmbeddingUnavailable(message) from error

    def _read(self, response: httpx2.Response, count: int) -> Vectors:
        if response.status_code != httpx2.codes.OK:
            asked = seconds_asked(response.headers, response.content)
            raise EmbeddingUnavailable(self._complaint(response), asked)
        try:
            items = sorted(_Answer.model_validate_json(response.content).data, key=lambda item: item.index)
        except ValidationError as error:
            raise EmbeddingUnavailable("the embeddings endpoint's answer is not in OpenAI's format") from error
        if [item.index for item in items] != list(range(count)):
            raise EmbeddingUnavailable(f"the embeddings endpoint answered {len(items)} vectors for {count} texts")
        found = {len(item.embedding) for item in items} - {self.dimension or len(items[0].embedding)}
        if found:
            raise EmbeddingUnavailable(
                f"the model answers {found.pop()} dimensions, EMBEDDINGS__DIMENSION says {self.dimension}"
            )
        self._answered_at = time.monotonic()
        with np.errstate(over="ignore"):  # infinity is refused below
            return _normalised(np.array([item.embedding for item in items], dtype=np.float32))


async def with_dimension(client: httpx2.AsyncClient, options: OpenAiOptions) -> OpenAiOptions:
    """Asks the endpoint for its dimension, unless it is known. Raises EmbeddingError."""
    if options.dimension:
        return options
    try:
        dimension = len(await OpenAiEmbedder(client, options).embed_query("dimension"))
    except EmbeddingError as error:
        raise EmbeddingError(f"EMBEDDINGS__DIMENSION is not set, and {error}") from error
    if not 0 < dimension <= _MOST_DIMENSIONS:
        raise EmbeddingError(f"the model {options.model} answers {dimension} dimensions, not 1 to {_MOST_DIMENSIONS}")
    return replace(options, dimension=dimension)


def name_of(options: OpenAiOptions) -> str:
    return f"openai:{options.model}@{options.dimension}"


def options_of(name: str, current: OpenAiOptions) -> OpenAiOptions | None:
    """Options for another model at the same endpoint; None if the name is not an endpoint's."""
    kind, _, rest = name.partition(":")
    model, _, dimension = rest.rpartition("@")
    if kind != "openai" or not model or not (dimension.isascii() and dimension.isdigit()):
        return None
    return replace(current, model=model, dimension=int(dimension))


def said_by(content: bytes, secret: str | None) -> str:
    """The message in a JSON answer, or else the answer's beginning, in one line without keys."""
    content = content[:_MOST_READ]
    try:
        said = _message_in(orjson.loads(content))
    except orjson.JSONDecodeError:
        said = None
    text = said or content.decode("utf-8", "replace")
    return one_clean_line(text.replace(secret, "***") if secret else text, _MOST_LOGGED)


def _message_in(answer: JsonValue) -> str | None:
    """`error.message` (OpenAI), `error` (TEI, Ollama), or `message` or `detail` (others)."""
    for key in ("error", "message", "detail"):
        if isinstance(answer, dict) and key in answer:
            answer = answer[key]
            if isinstance(answer, str):
                return answer
    return None


class _OverdueError(EmbeddingUnavailable):
    """The call's time budget is used up."""


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
        raise _OverdueError(f"the embeddings endpoint has not answered within {seconds:g} seconds") from error


def _normalised(vectors: Vectors) -> Vectors:
    if not np.isfinite(vectors).all():
        raise EmbeddingUnavailable("the embeddings endpoint answered a vector that is not finite")
    lengths = np.linalg.norm(vectors, axis=1, keepdims=True)
    return np.divide(vectors, lengths, out=np.zeros_like(vectors), where=lengths > 0)
