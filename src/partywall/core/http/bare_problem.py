"""A problem as the bytes of a whole response, for requests that never reach the application."""

from __future__ import annotations

from http import HTTPStatus
from typing import Final

import orjson

from partywall.core.errors import PartywallError
from partywall.core.http.problems import MEDIA_TYPE, TYPE_PREFIX
from partywall.core.ids import new_id_text

_HEADERS: Final = (("cache-control", "no-store"), ("x-content-type-options", "nosniff"), ("connection", "close"))


def bare_problem(error: PartywallError) -> bytes:
    headers, body = bare_answer(error)
    status = f"HTTP/1.1 {error.status} {HTTPStatus(error.status).phrase}"
    lines = (status, *(f"{name}: {said}" for name, said in headers), "", "")
    return "\r\n".join(lines).encode("latin-1") + body


def bare_answer(error: PartywallError) -> tuple[list[tuple[str, str]], bytes]:
    """The problem's headers and body."""
    request_id = new_id_text()
    body = orjson.dumps(
        {
            "type": TYPE_PREFIX + error.code,
            "title": error.title,
            "status": error.status,
            "detail": error.detail,
            "instance": "",
            "code": error.code,
            "request_id": request_id,
        }
    )
    own = (("content-type", MEDIA_TYPE), ("content-length", str(len(body))), ("x-request-id", request_id))
    return [*own, *_HEADERS, *((name.lower(), said) for name, said in error.headers.items())], body
