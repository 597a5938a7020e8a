"""Replays a body that was already read to the application."""

from __future__ import annotations

from collections.abc import AsyncIterator, Mapping
from typing import Final

from starlette.types import Message, Receive

from partywall.core.http.address_limiter import RequestSlot

_UNUSUAL: Final = (b"transfer-encoding", b"content-encoding", b"idempotency-key")


def is_plain(headers: Mapping[bytes, bytes], media_type: bytes, most_bytes: int) -> bool:
    """Whether a body has that type and a declared, ordinary length, and no header needs special treatment."""
    length = headers.get(b"content-length", b"")
    return (
        headers.get(b"content-type") == media_type
        and length.isdigit()
        and len(length) < 6
        and int(length) <= most_bytes
        and not any(name in headers for name in _UNUSUAL)
    )


async def read_whole(receive: Receive, slot: RequestSlot | None) -> bytes | None:
    """The whole body, or None if the client disconnects; raises AddressBusyError.

    The slot is free for others while the body is awaited.
    """
    lent = slot is not None and slot.pause()
    parts: list[bytes] = []
    more = True
    while more:
        message = await receive()
        if message["type"] != "http.request":
            return None
        parts.append(message.get("body", b""))
        more = message.get("more_body", False)
    if slot is not None and lent:
        await slot.again()
    return b"".join(parts)


def replayed(body: bytes, receive: Receive) -> Receive:
    unread = [body]

    async def replay() -> Message:
        if unread:
            return {"type": "http.request", "body": unread.pop(), "more_body": False}
        return await receive()

    return replay


def without_body(receive: Receive) -> Receive:
    """For applications that read no body: they only see the client's disconnect."""

    async def skip() -> Message:
        while (message := await receive())["type"] == "http.request":
            pass
        return message

    return replayed(b"", skip)


def replayed_pieces(pieces: AsyncIterator[bytes], receive: Receive) -> Receive:
    ended = False

    async def replay() -> Message:
        nonlocal ended
        if ended:
            return await receive()
        piece = await anext(pieces, None)
        ended = piece is None
        return {"type": "http.request", "body": piece or b"", "more_body": not ended}

    return replay
