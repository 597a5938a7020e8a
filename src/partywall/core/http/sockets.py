"""Checks each WebSocket before it serves: its origin, and the credential in its first message."""

from __future__ import annotations

import asyncio
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from typing import Final
from urllib.parse import urlsplit

from fastapi import WebSocket
from pydantic import BaseModel, ValidationError
from starlette.websockets import WebSocketDisconnect

from partywall.core.errors import BadRequestError, ForbiddenError, NotAuthenticatedError, TooManyRequestsError
from partywall.core.http.dependencies import ResourcesDep, client_address
from partywall.core.resources import Resources
from partywall.core.tenant import set_current_tenant, unauthenticated

# How long a client may take to authenticate.
FIRST_MESSAGE_SECONDS: Final = 5.0
_DEFAULT_PORTS: Final = {"http": 80, "https": 443}


class OriginNotAllowedError(ForbiddenError):
    code = "origin_not_allowed"
    title = "This origin is not allowed"


class TooManyHandshakesError(TooManyRequestsError):
    """Too many sockets have not authenticated yet."""

    code = "too_many_handshakes"
    title = "Too many unauthenticated sockets"


class BadMessageError(BadRequestError):
    code = "bad_message"
    title = "The message is not valid"


async def require_socket_principal(websocket: WebSocket, resources: ResourcesDep) -> None:
    """Checks every WebSocket's origin, which browsers always send and other clients may omit.

    A draining process rejects it before the upgrade, so that the next process can accept it.
    """
    resources.tailers.require_staying()
    set_current_tenant(unauthenticated(client_address(websocket, resources)))
    origin = websocket.headers.get("origin")
    if origin is None:
        return
    http = resources.settings.http
    own = {websocket.headers.get("host", ""), "" if http.public_url is None else urlsplit(str(http.public_url)).netloc}
    if not any(may_come_from(origin, host, http.cors_origins) for host in own):
        raise OriginNotAllowedError


def may_come_from(origin: str, host: str, allowed: Sequence[str]) -> bool:
    """Whether the origin is the service's own or an allowed one. `host` is assumed to have the page's scheme."""
    if origin in allowed or "*" in allowed:
        return True
    try:
        page = urlsplit(origin)
        port = page.port or _DEFAULT_PORTS[page.scheme]
        here = urlsplit(f"{page.scheme}://{host}")
        return page.hostname is not None and (page.hostname, port) == (
            here.hostname,
            here.port or _DEFAULT_PORTS[page.scheme],
        )
    except (ValueError, KeyError):
        return False


@contextmanager
def pending_handshake(websocket: WebSocket, resources: Resources) -> Iterator[None]:
    """Holds a slot for an unauthenticated socket; raises TooManyHandshakesError."""
    client = client_address(websocket, resources)
    if not resources.handshakes.take(client):
        raise TooManyHandshakesError(1)
    try:
        yield
    finally:
        resources.handshakes.release(client)


async def first_message[M: BaseModel](websocket: WebSocket, model: type[M]) -> M:
    """Accepts the socket and reads its first message; raises NotAuthenticatedError if none arrives in time.

    Raises BadMessageError for anything but JSON text of that model, and WebSocketDisconnect.
    """
    await websocket.accept()
    try:
        async with asyncio.timeout(FIRST_MESSAGE_SECONDS):
            text = await next_text(websocket)
    except TimeoutError as error:
        raise NotAuthenticatedError("No credential arrived in time.") from error
    try:
        return model.model_validate_json(text)
    except ValidationError as error:
        raise BadMessageError from error


async def next_text(websocket: WebSocket) -> str:
    """Raises BadMessageError for a binary message, WebSocketDisconnect if the client has left."""
    message = await websocket.receive()
    if message["type"] == "websocket.disconnect":
        raise WebSocketDisconnect(message.get("code") or 1005)
    text = message.get("text")
    if not isinstance(text, str):
        raise BadMessageError
    return text
