"""A problem as the bytes of a whole answer, for a client that no application is going to see."""

from __future__ import annotations

from http import HTTPStatus
from typing import Final

import orjson

from partywall.core.errors import PartywallError
from partywall.core.http.problems import MEDIA_TYPE, TYPE_PREFIX
from partywall.core.ids import new_id_text

_HEAD: Final = (
    "HTTP/1.1 {status} {phrase}\r\ncontent-type: {type}\r\ncontent-length: {length}\r\nx-request-id: {id}\r\n"
    "cache-control: no-store\r\nx-content-type-options: nosniff\r\nconnection: close\r\n{more}\r\n"
)


def bare_problem(error: PartywallError) -> bytes:
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
    more = "".join(f"{name.lower()}: {value}\r\n" for name, value in error.headers.items())
    phrase = HTTPStatus(error.status).phrase
    head = _HEAD.format(
        status=error.status, phrase=phrase, type=MEDIA_TYPE, length=len(body), id=request_id, more=more
    )  # fmt: skip
    return head.encode("latin-1") + body
