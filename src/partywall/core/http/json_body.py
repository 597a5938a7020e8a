"""Parses large JSON bodies from their bytes and frees those at once, without a copy or a string."""

from __future__ import annotations

import asyncio
import hashlib
import json
from collections.abc import Callable, Coroutine
from typing import Final

from fastapi.routing import APIRoute
from pydantic_core import from_json
from starlette.requests import Request
from starlette.responses import Response

from partywall.core.http.body_limits import ORDINARY_BYTES
from partywall.core.http.dependencies import IDEMPOTENCY_KEY

# In the request's state: stands for a body that was freed.
DIGEST: Final = "body_digest"
# FastAPI's placeholder for such a body: it checks that there is one, and then asks for its JSON.
_PRESENT: Final = b"-"


class JsonRequest(Request):
    """Reads bodies of ordinary size as usual."""

    _large: bytes | None = None

    async def body(self) -> bytes:
        if not hasattr(self, "_body"):
            pieces = [piece async for piece in self.stream() if piece]
            body = pieces[0] if len(pieces) == 1 else b"".join(pieces)
            self._large = body if len(body) > ORDINARY_BYTES else None
            self._body = body if self._large is None else _PRESENT
        return self._body

    async def json(self) -> object:
        """Raises json.JSONDecodeError."""
        large: list[bytes] = [] if self._large is None else [self._large]
        self._large = None
        if not large:
            return await super().json()
        if IDEMPOTENCY_KEY in self.headers:
            self.scope["state"][DIGEST] = await asyncio.to_thread(_digest, large[0])
        self._json = _read(large)
        return self._json


def _digest(body: bytes) -> bytes:
    return hashlib.sha256(body).digest()


def _read(body: list[bytes]) -> object:
    """Empties the list: the frames of an error's traceback would otherwise keep the body."""
    try:
        return from_json(body[0], cache_strings="keys")
    except ValueError as error:
        raise json.JSONDecodeError(str(error), "", 0) from error
    finally:
        body.clear()


class JsonRoute(APIRoute):
    """The `route_class` of routes that take large JSON bodies."""

    def get_route_handler(self) -> Callable[[Request], Coroutine[object, object, Response]]:
        handle = super().get_route_handler()

        async def handle_json(request: Request) -> Response:
            return await handle(JsonRequest(request.scope, request.receive))

        return handle_json
