"""What happens to the rest of a body that nobody is going to read."""

from __future__ import annotations

import asyncio
from typing import Final

from starlette.types import Message, Receive, Scope, Send

CLOSING: Final = (b"connection", b"close")
# In the state of the request.
UNREAD: Final = "body_unread"
# A client that goes on sending gets to read its answer; more than this it may not send.
_SECONDS: Final = 1.0
_BYTES: Final = 2 * 1024 * 1024
# A proxy takes a connection that is reset while it sends for a server that has failed, and answers 502.
_BYTES_OF_A_PROXY: Final = 64 * 1024 * 1024


def leave_unread(scope: Scope) -> None:
    """The answer comes before the body has been read, and the connection ends with it."""
    scope["state"][UNREAD] = True


async def end_answer(message: Message, scope: Scope, receive: Receive, send: Send, *, to_proxy: bool) -> None:
    """Sends the last part of the answer, then throws a little of the body away before the connection is closed.

    A connection that is closed at once, with bytes on their way, is reset, and the client never sees the answer.
    """
    await send({**message, "more_body": True})
    if not _waits_to_be_asked(scope):
        await _drain(receive, _BYTES_OF_A_PROXY if to_proxy else _BYTES)
    await send({"type": "http.response.body", "body": b"", "more_body": False})


def _waits_to_be_asked(scope: Scope) -> bool:
    return any(name == b"expect" for name, _ in scope["headers"])


async def _drain(receive: Receive, most: int) -> None:
    seen = 0
    try:
        async with asyncio.timeout(_SECONDS):
            while seen < most:
                message = await receive()
                if message["type"] != "http.request" or not message.get("more_body", False):
                    return
                seen += len(message.get("body", b""))
    except TimeoutError:
        return
