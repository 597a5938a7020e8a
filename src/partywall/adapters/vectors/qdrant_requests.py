"""Requests to Qdrant's REST API, bounded in time and size."""

from __future__ import annotations

import asyncio
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import timedelta
from typing import Final

import httpx2
import orjson
from pydantic import JsonValue

from partywall.core.log_masks import one_clean_line
from partywall.core.vector_server import VectorServerError, VectorsRefused

# Parsed on the event loop: a page of 5,000 points, the largest usual answer, has about 0.3 MB.
MOST_BYTES: Final = 2 * 1024 * 1024
_MOST_TOLD: Final = 200
# A compressed part could become a thousand times as large before its size is known.
_JSON: Final = {"Content-Type": "application/json", "Accept-Encoding": "identity"}


class NotThereError(VectorServerError):
    """There is no such collection."""


class KeyRefusedError(VectorServerError):
    """The server does not accept the API key, or wants one."""


_KINDS: Final[Mapping[int, type[VectorServerError]]] = {
    400: VectorsRefused, 401: KeyRefusedError, 403: KeyRefusedError, 404: NotThereError, 413: VectorsRefused,
    422: VectorsRefused,
}  # fmt: skip


@dataclass(frozen=True, slots=True)
class QdrantRequests:
    """The client retries; `timeout` is for one request with its retries. Redirects are not followed."""

    client: httpx2.AsyncClient
    url: str
    api_key: str | None
    timeout: timedelta

    async def get(self, path: str) -> JsonValue:
        """The `result` of the answer, as of the other methods."""
        return _member(await self._ask("GET", path, None), "result")

    async def put(self, path: str, body: Mapping[str, object]) -> JsonValue:
        return _member(await self._ask("PUT", path, body), "result")

    async def post(self, path: str, body: Mapping[str, object], *, most: int = MOST_BYTES) -> JsonValue:
        """Takes an answer of `most` bytes."""
        return _member(await self._ask("POST", path, body, most), "result")

    async def version(self) -> str:
        return str(_member(await self._ask("GET", "/", None), "version"))

    async def _ask(
        self, method: str, path: str, body: Mapping[str, object] | None, most: int = MOST_BYTES
    ) -> JsonValue:
        headers = _JSON | ({} if self.api_key is None else {"api-key": self.api_key})
        content = None if body is None else orjson.dumps(body)
        seconds = self.timeout.total_seconds()
        try:
            async with (
                asyncio.timeout(seconds),
                self.client.stream(
                    method, f"{self.url.rstrip('/')}{path}", content=content, headers=headers
                ) as response,
            ):
                answer = await _read(response, most)
        except TimeoutError as error:
            raise VectorServerError(f"the vector server has not answered within {seconds:g} seconds") from error
        except httpx2.RequestError as error:
            raise VectorServerError(f"the vector server does not answer ({type(error).__name__})") from error
        if response.status_code != httpx2.codes.OK:
            kind = _KINDS.get(response.status_code, VectorServerError)
            raise kind(f"the vector server answered {response.status_code}: {self._said(answer)}")
        try:
            parsed: JsonValue = orjson.loads(answer)
        except orjson.JSONDecodeError as error:
            raise VectorServerError("the vector server's answer is not JSON") from error
        return parsed

    def _said(self, answer: bytes) -> str:
        text = answer[:_MOST_TOLD].decode("utf-8", "replace")
        return one_clean_line(text.replace(self.api_key, "***") if self.api_key else text, _MOST_TOLD)


def _member(answer: JsonValue, key: str) -> JsonValue:
    return answer.get(key) if isinstance(answer, dict) else None


async def _read(response: httpx2.Response, most: int) -> bytes:
    """Raises VectorServerError past `most` bytes."""
    parts, size = list[bytes](), 0
    async for part in response.aiter_bytes():
        size += len(part)
        if size > most:
            raise VectorServerError("the vector server's answer is too large")
        parts.append(part)
    return b"".join(parts)
