"""A model's server that refuses: what it says is bounded, says nothing of our keys, and is in the log."""

from __future__ import annotations

import asyncio
from typing import Final

import httpx2
import orjson
import structlog

from partywall.core.masking import cleaned_words

log = structlog.get_logger(__name__)

MOST_BYTES: Final = 64 * 1024
LONGEST_SECONDS: Final = 5.0
MOST_LOGGED: Final = 500
_SHORTEST_KEY: Final = 8  # NO_KEY is a word that may be said
_KEYS: Final = ("authorization", "x-api-key")
_KEPT: Final = frozenset(
    {"content-type", "retry-after", "retry-after-ms", "x-should-retry", "request-id", "x-request-id"}
)


async def refusal(request: httpx2.Request, response: httpx2.Response) -> httpx2.Response:
    """The beginning of it, as an answer of its own; the rest is not read."""
    said = without_keys(request, await _beginning(response))
    log.warning(
        "model_refusal",
        model=_model(request),
        server=_server(request),
        status=response.status_code,
        said=cleaned_words(said.decode("utf-8", "replace"), MOST_LOGGED),
    )
    headers = [(name, value) for name, value in response.headers.multi_items() if name.lower() in _KEPT]
    return httpx2.Response(response.status_code, headers=headers, content=said, request=request)


async def _beginning(response: httpx2.Response) -> bytes:
    found = bytearray()
    try:
        async with asyncio.timeout(LONGEST_SECONDS):
            async for part in response.aiter_bytes():
                found += part[: MOST_BYTES - len(found)]
                if len(found) >= MOST_BYTES:
                    break
    except (httpx2.TransportError, httpx2.DecodingError, TimeoutError):
        pass  # the status is said already
    finally:
        await response.aclose()
    return bytes(found)


def log_no_answer(request: httpx2.Request, said: bytes) -> None:
    """A success that is none: a page, or something else that no model has said."""
    words = cleaned_words(without_keys(request, said).decode("utf-8", "replace"), MOST_LOGGED)
    log.warning("model_refusal", model=_model(request), server=_server(request), status=200, said=words)


def _server(request: httpx2.Request) -> str:
    return str(request.url.copy_with(query=None))


def without_keys(request: httpx2.Request, said: bytes) -> bytes:
    for name in _KEYS:
        key = request.headers.get(name, "").removeprefix("Bearer ").encode()
        if len(key) >= _SHORTEST_KEY:
            said = said.replace(key, b"***")
    return said


def _model(request: httpx2.Request) -> str | None:
    try:
        asked = orjson.loads(request.content)
    except orjson.JSONDecodeError:
        return None
    return str(asked.get("model")) if isinstance(asked, dict) else None
