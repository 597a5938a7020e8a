"""Requests and answers straight through ASGI, without sockets."""

from __future__ import annotations

import asyncio
import gzip
import json
from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from typing import Final
from urllib.parse import quote, unquote, urlencode

import orjson
from pydantic import JsonValue
from starlette.types import ASGIApp, Message

from partywall.testing.isolation.surface import FORM, JSON, MULTIPART, Operation, Place, Position

_BOUNDARY: Final = "----partywall-isolation"
# How long an open stream is read: events that are already stored arrive at once.
LISTEN_SECONDS: Final = 0.02
_SEE_OTHER: Final = 303
# Exceptions that end a request without an answer.
BROKEN: Final = 599


@dataclass(frozen=True, slots=True)
class Upload:
    field: str
    name: str
    content: bytes


@dataclass(frozen=True, slots=True)
class Call:
    """A request in which any one position can be changed. `body` also holds form fields."""

    operation: Operation
    path: Mapping[str, str] = field(default_factory=dict)
    query: tuple[tuple[str, str], ...] = ()
    headers: Mapping[str, str] = field(default_factory=dict)
    body: JsonValue = None
    upload: Upload | None = None

    def with_value(self, position: Position, value: JsonValue) -> Call:
        text = value if isinstance(value, str) else json.dumps(value)
        match position.place:
            case Place.PATH:
                return replace(self, path={**self.path, position.name: text})
            case Place.QUERY:
                several = value if isinstance(value, list) else [text]
                kept = tuple(pair for pair in self.query if pair[0] != position.name)
                return replace(self, query=kept + tuple((position.name, str(each)) for each in several))
            case Place.HEADER:
                return replace(self, headers={**self.headers, position.name: text})
            case Place.BODY:
                return replace(self, body=_put(self.body, position.name.split("/")[1:], value))
            case Place.KEY:
                return replace(self, body=_put(self.body, position.name.split("/")[1:], {text: "a value"}))
            case Place.FORM:
                fields = self.body if isinstance(self.body, dict) else {}
                return replace(self, body={**fields, position.name: text})
            case Place.FILE:
                name = self.upload.name if self.upload else "attack.txt"
                return replace(self, upload=Upload(position.name, name, text.encode("utf-8", "replace")))
            case Place.FILE_NAME:
                content = self.upload.content if self.upload else b"attack"
                return replace(self, upload=Upload(position.name, text, content))

    def url(self) -> tuple[str, str]:
        """The raw path and the query string."""
        path = self.operation.path
        for name, value in self.path.items():
            path = path.replace("{" + name + "}", quote(value, safe=""))
        return path, urlencode(self.query)

    def encoded(self) -> tuple[bytes, str | None]:
        """The body and its content type."""
        match self.operation.media_type:
            case str(kind) if kind == JSON:
                return orjson.dumps(self.body), JSON
            case str(kind) if kind == FORM:
                return urlencode(self._fields()).encode(), FORM
            case str(kind) if kind == MULTIPART:
                return self._multipart(), f"{MULTIPART}; boundary={_BOUNDARY}"
            case _:
                return b"", None

    def _fields(self) -> dict[str, str]:
        assert isinstance(self.body, dict)
        return {name: value if isinstance(value, str) else json.dumps(value) for name, value in self.body.items()}

    def _multipart(self) -> bytes:
        parts = [
            f'--{_BOUNDARY}\r\nContent-Disposition: form-data; name="{name}"\r\n\r\n{value}\r\n'.encode()
            for name, value in (self._fields() if self.body else {}).items()
        ]
        if self.upload is not None:
            name = self.upload.name.replace("\\", "\\\\").replace('"', "%22").replace("\r", "%0D").replace("\n", "%0A")
            head = f'--{_BOUNDARY}\r\nContent-Disposition: form-data; name="{self.upload.field}"; filename="{name}"\r\n'
            parts.append(head.encode() + b"Content-Type: text/plain\r\n\r\n" + self.upload.content + b"\r\n")
        return b"".join(parts) + f"--{_BOUNDARY}--\r\n".encode()


def _put(body: JsonValue, path: list[str], value: JsonValue) -> JsonValue:
    """A copy of the body with the value at a path; missing steps are created."""
    if not path:
        return value
    step, *rest = path
    if step.isdigit():
        items: list[JsonValue] = list(body) if isinstance(body, list) and body else [None]
        items[0] = _put(items[0], rest, value)
        return items
    members = dict(body) if isinstance(body, dict) else {}
    members[step] = _put(members.get(step), rest, value)
    return members


@dataclass(frozen=True, slots=True)
class Answer:
    status: int
    headers: tuple[tuple[str, str], ...]
    body: bytes

    def header(self, name: str) -> str | None:
        return next((value for key, value in self.headers if key == name), None)

    @property
    def is_json(self) -> bool:
        media_type = (self.header("content-type") or "").partition(";")[0]
        return media_type.endswith(("/json", "+json"))

    def json(self) -> JsonValue:
        found: JsonValue = orjson.loads(self.body) if self.is_json and self.body else None
        return found

    @property
    def succeeded(self) -> bool:
        return 200 <= self.status < 300 or self.status == _SEE_OTHER


class Client:
    """Sends calls to one application."""

    def __init__(self, app: ASGIApp) -> None:
        self._app = app

    async def send(self, call: Call, token: str | None) -> Answer:
        body, content_type = call.encoded()
        path, query = call.url()
        headers = [(b"host", b"partywall.test"), (b"user-agent", b"isolation")]
        if token is not None:
            headers.append((b"authorization", b"Bearer " + token.encode()))
        if content_type is not None:
            headers += [(b"content-type", content_type.encode()), (b"content-length", str(len(body)).encode())]
        headers += [(name.lower().encode(), value.encode("utf-8", "replace")) for name, value in call.headers.items()]
        scope = {
            "type": "http", "asgi": {"version": "3.0", "spec_version": "2.4"}, "http_version": "1.1",
            "method": call.operation.method, "scheme": "http", "path": unquote(path), "raw_path": path.encode(),
            "query_string": query.encode(), "root_path": "", "headers": headers, "client": ("127.0.0.1", 1),
            "server": ("partywall.test", 80), "state": {}, "extensions": {},
        }  # fmt: skip
        exchange = _Exchange(body)
        try:
            await self._app(scope, exchange.receive, exchange.send)
        except Exception as error:  # noqa: BLE001 - an answer that breaks off halfway is checked too
            return Answer(BROKEN, (), repr(error).encode())
        return exchange.answer()


class _Exchange:
    """The server's side of one request. An event stream is closed after a moment."""

    def __init__(self, body: bytes) -> None:
        self._unread: bytes | None = body
        self._gone: asyncio.Event | None = None
        self._leaving = False
        self._status = 0
        self._headers: tuple[tuple[str, str], ...] = ()
        self._parts: list[bytes] = []

    def _leave(self) -> asyncio.Event:
        if self._gone is None:
            self._gone = asyncio.Event()
        return self._gone

    async def receive(self) -> Message:
        if self._unread is not None:
            body, self._unread = self._unread, None
            return {"type": "http.request", "body": body, "more_body": False}
        await self._leave().wait()
        return {"type": "http.disconnect"}

    async def send(self, message: Message) -> None:
        if message["type"] == "http.response.start":
            self._status = message["status"]
            self._headers = tuple((k.decode().lower(), v.decode("latin-1")) for k, v in message["headers"])
            return
        self._parts.append(message.get("body", b""))
        if message.get("more_body") and not self._leaving and self._streams():
            self._leaving = True
            asyncio.get_running_loop().call_later(LISTEN_SECONDS, self._leave().set)

    def _streams(self) -> bool:
        return any(name == "content-type" and value.startswith("text/event-stream") for name, value in self._headers)

    def answer(self) -> Answer:
        body = b"".join(self._parts)
        if ("content-encoding", "gzip") in self._headers:
            body = gzip.decompress(body)
        return Answer(self._status, self._headers, body)
