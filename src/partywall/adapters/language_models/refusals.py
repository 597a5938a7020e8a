"""Error answers of a model's server: size-limited, stripped of our keys, and logged."""

from __future__ import annotations

import asyncio
from typing import Final

import httpx2
import orjson
import structlog

from partywall.adapters.language_models.reported_errors import status_in
from partywall.core.log_masks import one_clean_line
from partywall.core.outgoing.retries import note_asked

log = structlog.get_logger(__name__)

MOST_BYTES: Final = 64 * 1024
LONGEST_SECONDS: Final = 5.0
MOST_LOGGED: Final = 500
_SHORTEST_KEY: Final = 8  # shorter ones, such as NO_KEY, may be ordinary words
_KEYS: Final = ("authorization", "x-api-key")
_KEPT: Final = frozenset(
    {
        "content-type", "retry-after", "retry-after-ms", "x-ms-retry-after-ms", "x-should-retry", "request-id",
        "x-request-id",
    }
)  # fmt: skip


async def refusal(request: httpx2.Request, response: httpx2.Response) -> httpx2.Response:
    """A new response with the beginning of the error; the rest is not read."""
    return _refused(request, response, await _beginning(response), response.status_code)


async def unmasked(request: httpx2.Request, response: httpx2.Response) -> httpx2.Response:
    """For JSON instead of a stream: a response with the status of the error that its body reports, if any."""
    said = await _beginning(response)
    status = status_in(said)
    if status is not None:
        return _refused(request, response, said, status)
    headers = {"content-type": response.headers["content-type"]}
    return httpx2.Response(response.status_code, headers=headers, content=said, request=request)


def _refused(request: httpx2.Request, response: httpx2.Response, said: bytes, status: int) -> httpx2.Response:
    said = without_keys(request, said)
    log.warning(
        "model_refusal",
        model=_model(request),
        server=_server(request),
        status=status,
        said=one_clean_line(said.decode("utf-8", "replace"), MOST_LOGGED),
    )
    headers = httpx2.Headers([each for each in response.headers.multi_items() if each[0].lower() in _KEPT])
    note_asked(headers, said)
    headers.pop("retry-after-ms", None)  # the library would take it for more exact
    return httpx2.Response(status, headers=headers, content=said, request=request)


async def _beginning(response: httpx2.Response) -> bytes:
    found = bytearray()
    try:
        async with asyncio.timeout(LONGEST_SECONDS):
            async for part in response.aiter_bytes():
                found += part[: MOST_BYTES - len(found)]
                if len(found) >= MOST_BYTES:
                    break
    except (httpx2.TransportError, httpx2.DecodingError, TimeoutError):
        pass  # the status is known; a partial body is enough
    finally:
        await response.aclose()
    return bytes(found)


def log_no_answer(request: httpx2.Request, said: bytes) -> None:
    """Logs a response with a success status that is not a model's answer, such as an HTML page."""
    words = one_clean_line(without_keys(request, said).decode("utf-8", "replace"), MOST_LOGGED)
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
