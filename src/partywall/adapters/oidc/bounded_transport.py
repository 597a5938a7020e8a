from __future__ import annotations

from collections.abc import Mapping
from typing import Final

import httpx2

from partywall.core.concurrency_limiter import ConcurrencyLimiter

MOST_BYTES: Final = 512 * 1024
AT_ONCE: Final = 64
AT_ONCE_EACH: Final = 16
"""Requests to one host."""


class AnswerRefusedError(httpx2.TransportError):
    """The answer is too long or compressed, or too many requests are waiting."""


class BoundedTransport(httpx2.AsyncBaseTransport):
    """Reads whole answers of limited length over a shared transport, which it leaves open."""

    def __init__(self, inner: httpx2.AsyncBaseTransport) -> None:
        self._inner = inner
        self._limiter = ConcurrencyLimiter[str](AT_ONCE, AT_ONCE_EACH)

    async def handle_async_request(self, request: httpx2.Request) -> httpx2.Response:
        request.headers["Accept-Encoding"] = "identity"
        host = request.url.host
        if not self._limiter.take(host):
            raise AnswerRefusedError("too many requests are waiting", request=request)
        try:
            response = await self._inner.handle_async_request(request)
            try:
                body = await _read(response, request)
            finally:
                await response.aclose()
        finally:
            self._limiter.release(host)
        return httpx2.Response(response.status_code, headers=_of_content(response.headers), content=body)


async def _read(response: httpx2.Response, request: httpx2.Request) -> bytes:
    if response.headers.get("content-encoding", "identity") != "identity":
        raise AnswerRefusedError("the answer is compressed, which was not asked for", request=request)
    body = bytearray()
    async for part in response.aiter_raw():
        body += part
        if len(body) > MOST_BYTES:
            raise AnswerRefusedError("the answer is too long", request=request)
    return bytes(body)


def _of_content(headers: Mapping[str, str]) -> dict[str, str]:
    return {"content-type": headers["content-type"]} if "content-type" in headers else {}
