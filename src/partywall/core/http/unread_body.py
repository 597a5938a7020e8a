"""Discards the rest of a body that nothing reads."""

from __future__ import annotations

import asyncio
from contextlib import suppress
from typing import Final

from starlette.types import Message, Receive, Scope, Send

from partywall.core.http.address_limiter import end_request_slot

CLOSING: Final = (b"connection", b"close")
# A key in the request's state.
UNREAD: Final = "body_unread"
# Many clients read no answer before they have sent the whole body, and a proxy treats a reset while it sends as a
# failed server. So even the largest body is read and discarded. A client that has read the answer stops.
_BYTES: Final = 64 * 1024 * 1024
_SECONDS: Final = 10.0
_STILL_SECONDS: Final = 1.0


def discard_body(scope: Scope) -> None:
    """Marks that the answer precedes the body; the connection then closes."""
    scope["state"][UNREAD] = True


async def end_answer(message: Message, scope: Scope, receive: Receive, send: Send) -> None:
    """Sends the last part of the answer, then discards further input before the connection is closed.

    Closing at once, with bytes still arriving, would reset the connection, and the client would not see the answer.
    """
    await send({**message, "more_body": True})
    end_request_slot(scope["state"])
    if not _waits_to_be_asked(scope):
        await _drain(receive)
    await send({"type": "http.response.body", "body": b"", "more_body": False})


def _waits_to_be_asked(scope: Scope) -> bool:
    return any(name == b"expect" for name, _ in scope["headers"])


async def _drain(receive: Receive) -> None:
    seen = 0
    with suppress(TimeoutError):
        async with asyncio.timeout(_SECONDS):
            while seen < _BYTES:
                async with asyncio.timeout(_STILL_SECONDS):
                    message = await receive()
                if message["type"] != "http.request" or not message.get("more_body", False):
                    return
                seen += len(message.get("body", b""))
