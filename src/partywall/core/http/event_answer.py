from __future__ import annotations

from typing import Final

from starlette.types import Message, Send

_HEADERS: Final = (
    (b"content-type", b"text/event-stream"),
    (b"cache-control", b"no-store"),
    (b"x-accel-buffering", b"no"),
)
_REPLACED: Final = frozenset({b"content-type", b"content-length"})


class EventAnswer:
    """Sends a JSON answer as a single event, for clients that read only event streams. Errors stay as they are."""

    def __init__(self, send: Send) -> None:
        self._send = send
        self._converts = False
        self._begun = False

    async def __call__(self, message: Message) -> None:
        if message["type"] == "http.response.start":
            headers = message["headers"]
            is_json = any(name == b"content-type" and value.startswith(b"application/json") for name, value in headers)
            self._converts = message["status"] == 200 and is_json
            if self._converts:
                message["headers"] = [*(each for each in headers if each[0] not in _REPLACED), *_HEADERS]
        elif self._converts:
            beginning = b"" if self._begun else b"event: message\r\ndata: "
            end = b"" if message.get("more_body", False) else b"\r\n\r\n"
            message["body"] = beginning + message.get("body", b"") + end
            self._begun = True
        await self._send(message)
