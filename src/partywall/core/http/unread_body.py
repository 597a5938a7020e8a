"""What happens to the rest of a body that nobody is going to read."""

from __future__ import annotations

import asyncio
from contextlib import suppress
from typing import Final

from starlette.types import Message, Receive, Scope, Send

from partywall.core.http.address_limiter import end_request_slot

CLOSING: Final = (b"connection", b"close")
# In the state of the request.
UNREAD: Final = "body_unread"
# Many clients read no answer before all of their body is out, and a proxy takes a connection that is reset while it
# sends for a server that has failed: the largest body is taken, and thrown away. Whoever has read the answer stops.
_BYTES: Final = 64 * 1024 * 1024
_SECONDS: Final = 10.0
_STILL_SECONDS: Final = 1.0


def discard_body(scope: Scope) -> None:
    """The answer comes before the body has been read, and the connection ends with it."""
    scope["state"][UNREAD] = True


async def end_answer(message: Message, scope: Scope, receive: Receive, send: Send) -> None:
    """Sends the last part of the answer, then throws what still comes away before the connection is closed.

    A connection that is closed at once, with bytes on their way, is reset, and the client never sees the answer.
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
