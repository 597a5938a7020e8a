"""Answers, and their entity tags of the form `"<revision>-<state>"`: the revision counts edits, the state any visible
change. `If-Range` is about bytes and accepts only the strong form; for `If-Match` see `core.preconditions`.
"""

from __future__ import annotations

import asyncio
from collections.abc import Mapping
from contextlib import suppress
from types import MappingProxyType
from typing import Annotated, Final

from fastapi import Header
from pydantic import BaseModel
from starlette.responses import Response
from starlette.types import Receive, Scope, Send

from partywall.core.http.address_limiter import end_request_slot
from partywall.core.http.spooled_answers import send_large
from partywall.core.large_answers import LARGE_ANSWER_BYTES, LargeAnswers
from partywall.core.preconditions import tags_in
from partywall.core.tenant import current_tenant

IfMatch = Annotated[str | None, Header(description="Write only if the content's revision is still this one.")]
IfNoneMatch = Annotated[str | None, Header(description="Answer 304 if nothing visible has changed since.")]

NOT_MODIFIED: Final = 304
_NO_HEADERS: Final[Mapping[str, str]] = MappingProxyType({})


def json_response(model: BaseModel, status: int = 200, headers: Mapping[str, str] | None = None) -> Response:
    """The model as JSON, serialised once by Pydantic, with the given headers."""
    return JsonBytes(model.model_dump_json().encode(), status, headers or _NO_HEADERS)


class JsonBytes(Response):
    """JSON that is already serialised, usually by the database."""

    media_type = "application/json"

    def __init__(self, body: bytes, status: int, headers: Mapping[str, str]) -> None:
        self.status_code = status
        self.body = body
        self.background = None
        self.raw_headers = [
            (b"content-type", b"application/json"),
            (b"content-length", b"%d" % len(body)),
            *((name.lower().encode(), value.encode("latin-1")) for name, value in headers.items()),
        ]

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if len(self.body) <= LARGE_ANSWER_BYTES:
            await send({"type": "http.response.start", "status": self.status_code, "headers": self.raw_headers})
            await send({"type": "http.response.body", "body": self.body})
            return
        answers: LargeAnswers = scope["app"].state.resources.answers
        await send_large(answers, current_tenant().name, self, (scope, receive, send))


def json_bytes(body: bytes, status: int = 200, headers: Mapping[str, str] = _NO_HEADERS) -> Response:
    return JsonBytes(body, status, headers)


class DelayedResponse(Response):
    """Sends another response after some seconds, or when the process stops. The transaction is committed by then."""

    def __init__(self, response: Response, seconds: float) -> None:
        self.response = response
        self.seconds = seconds
        self.status_code = response.status_code
        self.body = response.body
        self.background = None
        self.raw_headers = response.raw_headers

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        end_request_slot(scope["state"])
        draining: asyncio.Event = scope["app"].state.draining
        with suppress(TimeoutError):
            async with asyncio.timeout(self.seconds):
                await draining.wait()
        await self.response(scope, receive, send)


def delayed(response: Response, seconds: float) -> Response:
    return DelayedResponse(response, seconds) if seconds > 0 else response


def entity_tag(revision: int, state: object = 0) -> str:
    return f'"{revision}-{state}"'


def unchanged(if_none_match: str | None, tag: str) -> bool:
    if if_none_match is None:
        return False
    return any(given in ("*", tag) for given in tags_in(if_none_match))


def not_modified(tag: str) -> Response:
    return Response(status_code=NOT_MODIFIED, headers={"ETag": tag})
