from __future__ import annotations

import asyncio
from collections import deque
from collections.abc import Awaitable, Callable
from dataclasses import dataclass, field
from typing import Final, NamedTuple

import orjson
from fastapi import WebSocket
from pydantic import ValidationError
from starlette.websockets import WebSocketDisconnect

from partywall.core.clock import unix_time
from partywall.core.events.frames import body_of
from partywall.core.events.subscription import EndReason, Subscription
from partywall.core.http.schemas import SocketPing
from partywall.core.http.sockets import BadMessageError, next_text

MESSAGES_PER_MINUTE: Final = 60
_PONG: Final = orjson.dumps({"type": "pong"}).decode()
# How long closing may take: the client may no longer read.
_CLOSING_SECONDS: Final = 2.0
# Seconds after which a send timeout is restarted by the next message sent.
_RESTART_SECONDS: Final = 0.1


class Close(NamedTuple):
    """Why a socket is closed: a code for programs, a reason for people."""

    code: int
    reason: str


BAD_MESSAGE: Final = Close(4400, "bad_message")
REVOKED: Final = Close(4401, "credential_revoked")
NO_PROJECT: Final = Close(4404, "project_not_found")
TOO_SLOW: Final = Close(4408, "too_slow")
TOO_MANY: Final = Close(4429, "too_many_messages")
# Sent after a `reconnect` with the reason; 1012 and 1013 tell the client to reconnect.
_ENDS: Final = {
    EndReason.EXPIRED: Close(4401, EndReason.EXPIRED),
    EndReason.DRAINING: Close(1012, EndReason.DRAINING),
    EndReason.ROLE_CHANGED: Close(1012, EndReason.ROLE_CHANGED),
    EndReason.SLOW: TOO_SLOW,
    EndReason.UNAVAILABLE: Close(1013, EndReason.UNAVAILABLE),
}


@dataclass(slots=True)
class EventSocket:
    """Sends a subscription's events as messages, until it ends, the client leaves or breaks a rule.

    `is_still_valid` tells whether the credential is still valid when access to the project is lost.
    """

    websocket: WebSocket
    subscription: Subscription
    send_timeout: float
    is_still_valid: Callable[[], Awaitable[bool]]
    _verdict: Close | None = None
    _heard: deque[float] = field(default_factory=lambda: deque(maxlen=MESSAGES_PER_MINUTE))

    async def run(self) -> None:
        try:
            async with asyncio.TaskGroup() as group:
                listening = group.create_task(self._listen())
                await self._send_frames()
                listening.cancel()
            close = self._verdict or await self._close_of(self.subscription.ended)
        finally:
            self.subscription.close()
        if close is not None:
            async with asyncio.timeout(_CLOSING_SECONDS):
                await self.websocket.close(close.code, close.reason)

    async def _send_frames(self) -> None:
        try:
            while (frames := await self.subscription.frames()) is not None:
                await self._send(*(body_of(frame).decode() for frame in frames))
        except TimeoutError:
            self._verdict = TOO_SLOW
        except WebSocketDisconnect:
            self.subscription.end(EndReason.GONE)

    async def _send(self, *texts: str) -> None:
        """Restarts the time limit while the client reads; a limit for each message would take as long as sending it."""
        clock = asyncio.get_running_loop().time
        async with asyncio.timeout(self.send_timeout) as limit:
            restarted = clock()
            for text in texts:
                await self.websocket.send_text(text)
                if (now := clock()) - restarted >= _RESTART_SECONDS:
                    restarted = now
                    limit.reschedule(now + self.send_timeout)

    async def _listen(self) -> None:
        """Answers pings; clients send nothing else after the first message."""
        try:
            while self._admits():
                SocketPing.model_validate_json(await next_text(self.websocket))
                await self._send(_PONG)
        except (BadMessageError, ValidationError):
            self._verdict = BAD_MESSAGE
        except TimeoutError:
            self._verdict = TOO_SLOW
        except WebSocketDisconnect:
            pass
        self.subscription.end(EndReason.GONE)

    def _admits(self) -> bool:
        now = unix_time()
        if len(self._heard) == MESSAGES_PER_MINUTE and now - self._heard[0] < 60:
            self._verdict = TOO_MANY
            return False
        self._heard.append(now)
        return True

    async def _close_of(self, end: EndReason | None) -> Close | None:
        if end is EndReason.REVOKED:
            return NO_PROJECT if await self.is_still_valid() else REVOKED
        return None if end is None else _ENDS.get(end)
