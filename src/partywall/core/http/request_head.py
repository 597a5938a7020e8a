"""Limits of a request's head."""

from __future__ import annotations

import re
import string
from collections.abc import Sequence
from typing import Final
from urllib.parse import unquote_to_bytes

from starlette.requests import Request
from starlette.types import ASGIApp, Scope

from partywall.core.errors import BadRequestError, PartywallError
from partywall.core.http.problems import problem_of
from partywall.core.http.unread_body import discard_body

# Fits the longest query text, percent-encoded.
URL_BYTES: Final = 16 * 1024
SOCKET_URL_BYTES: Final = 8000
LINE_BYTES: Final = 8 * 1024
HEADER_BYTES: Final = 32 * 1024
MOST_HEADERS: Final = 100
MOST_PARAMETERS: Final = 100
# Characters of a host name, an address or a port (RFC 3986, 3.2.2).
_OF_HOSTS: Final = (string.ascii_letters + string.digits + "-._~!$&'()*+,;=:%[]").encode()


# A byte outside ASCII, plain or escaped.
_BEYOND_ASCII: Final = re.compile(rb"%[89A-Fa-f]|[\x80-\xff]")

type Headers = Sequence[tuple[bytes, bytes]]


class UrlTooLongError(PartywallError):
    status = 414
    code = "url_too_long"
    title = "The URL is too long"


class UnknownTransferCodingError(PartywallError):
    status = 501
    code = "unknown_transfer_coding"
    title = "The only transfer coding is chunked"


class HeadersTooLargeError(PartywallError):
    status = 431
    code = "headers_too_large"
    title = "The headers are too large"


def error_of(scope: Scope) -> ASGIApp | None:
    """The answer to an oversized URL or headers, or to a query that is not UTF-8, which would be misread."""
    error = _fault(scope)
    if error is None:
        return None
    discard_body(scope)
    scope["path"] = scope["path"][:URL_BYTES]
    return problem_of(Request(scope), error)


def _fault(scope: Scope) -> PartywallError | None:
    query = scope["query_string"]
    if len(scope.get("raw_path") or scope["path"]) + len(query) > URL_BYTES:
        return url_too_long()
    fault = _fault_of_headers(scope["headers"], wants_host=scope["http_version"] != "1.0")
    return fault or (fault_of_query(query) if query else None)


def url_too_long() -> UrlTooLongError:
    return UrlTooLongError(f"A URL has at most {URL_BYTES} bytes.")


def head_too_large(url: bytes) -> PartywallError:
    """For a head that exceeds the limit without ending."""
    return HeadersTooLargeError() if len(url) <= URL_BYTES else url_too_long()


def fault_of_coding(scope: Scope) -> PartywallError | None:
    """Checks the transfer codings: the parser handles only chunked framing (RFC 9112, 6.1)."""
    codings = b",".join(value for name, value in scope["headers"] if name == b"transfer-encoding")
    names = [each.strip().lower() for each in codings.split(b",")]
    if scope["http_version"] == "1.0" or names.count(b"chunked") > 1:
        return BadRequestError("The framing of the body is ambiguous.")
    return None if names == [b"chunked"] else UnknownTransferCodingError()


def fault_of_upgrade(url: bytes, headers: Headers) -> PartywallError | None:
    """Checks a WebSocket request, whose parser is stricter and reports nothing."""
    if len(url) > SOCKET_URL_BYTES:
        return UrlTooLongError(f"The URL of a WebSocket has at most {SOCKET_URL_BYTES} bytes.")
    if any(name == b"transfer-encoding" or (name == b"content-length" and value != b"0") for name, value in headers):
        return BadRequestError("A WebSocket request must not have a body.")
    return _fault_of_headers(headers, wants_host=True)


def _fault_of_headers(headers: Headers, *, wants_host: bool) -> PartywallError | None:
    total = hosts = 0
    for name, value in headers:
        total += len(name) + len(value)
        if name == b"host":
            hosts += 1
            if value.translate(None, _OF_HOSTS):
                return BadRequestError("The Host header is not valid.")
    if hosts != 1 and (hosts or wants_host):
        return BadRequestError("A request must have exactly one Host.")
    if total > LINE_BYTES and (total > HEADER_BYTES or _has_long_line(headers)):
        return HeadersTooLargeError(f"A header has at most {LINE_BYTES} bytes, and all of them {HEADER_BYTES}.")
    if len(headers) > MOST_HEADERS:
        return HeadersTooLargeError(f"There are at most {MOST_HEADERS} headers.")
    return None


def _has_long_line(headers: Headers) -> bool:
    return any(len(name) + len(value) > LINE_BYTES for name, value in headers)


def fault_of_query(query: bytes) -> PartywallError | None:
    if query.count(b"&") >= MOST_PARAMETERS:
        return BadRequestError(f"A query has at most {MOST_PARAMETERS} parameters.")
    if _BEYOND_ASCII.search(query):
        try:
            unquote_to_bytes(query).decode()
        except UnicodeDecodeError:
            return BadRequestError("The query is not percent-encoded UTF-8.")
    return None
