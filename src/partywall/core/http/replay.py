"""A body that is read, to be received again by whoever stands behind."""

from __future__ import annotations

from collections.abc import AsyncIterator

from starlette.types import Message, Receive


async def read_whole(receive: Receive) -> bytes | None:
    """The whole body, or None where the client has gone."""
    parts: list[bytes] = []
    more = True
    while more:
        message = await receive()
        if message["type"] != "http.request":
            return None
        parts.append(message.get("body", b""))
        more = message.get("more_body", False)
    return b"".join(parts)


def replayed(body: bytes, receive: Receive) -> Receive:
    unread = [body]

    async def replay() -> Message:
        if unread:
            return {"type": "http.request", "body": unread.pop(), "more_body": False}
        return await receive()

    return replay


def without_body(receive: Receive) -> Receive:
    """For what reads no body: it learns when the client has gone, and nothing else."""

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
