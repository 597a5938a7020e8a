"""Every failure leaves as problem details (RFC 9457)."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from http import HTTPStatus
from typing import Final

import orjson
import structlog
from fastapi import FastAPI, Request
from fastapi.exceptions import RequestValidationError, WebSocketRequestValidationError
from fastapi.routing import iter_route_contexts
from pydantic import BaseModel, ConfigDict, Field, JsonValue
from sqlalchemy.exc import DBAPIError, InterfaceError
from sqlalchemy.exc import TimeoutError as PoolTimeoutError
from starlette.datastructures import FormData
from starlette.exceptions import HTTPException
from starlette.requests import HTTPConnection
from starlette.responses import Response

from partywall.core.db.availability import DatabaseAwayError, is_away
from partywall.core.errors import PartywallError, UnsupportedMediaTypeError
from partywall.core.http.request_id import request_id_of
from partywall.core.http.sub_path import sub_path_of

log = structlog.get_logger(__name__)

MEDIA_TYPE: Final = "application/problem+json"
TYPE_PREFIX: Final = "urn:partywall:problem:"
_CODES: Final = {
    400: "bad_request",
    404: "route_not_found",
    405: "method_not_allowed",
    413: "content_too_large",
    415: "unsupported_media_type",
}

# What the framework's reading of a JSON body stumbles over besides its grammar, and passes on as the cause.
_UNREADABLE: Final = (
    (RecursionError, "The body is nested too deeply."),
    (UnicodeDecodeError, "The body is not UTF-8."),
    (ValueError, "The body has an integer of too many digits."),
)


# Of the things that are wrong with a request so many are told, and of each so many characters.
MOST_ERRORS: Final = 20
_MOST_CHARACTERS: Final = 500


class FieldProblem(BaseModel):
    pointer: str = Field(examples=["/title"])
    message: str


class Problem(BaseModel):
    """Problem details: `type` and `code` are stable, `detail` is for people."""

    model_config = ConfigDict(extra="allow")

    type: str
    title: str
    status: int
    detail: str
    instance: str
    code: str
    request_id: str
    errors: list[FieldProblem] | None = None
    more_errors: int | None = None


class ProblemResponse(Response):
    media_type = MEDIA_TYPE


def problem(
    request: HTTPConnection,
    status: int,
    code: str,
    title: str,
    detail: str,
    *,
    headers: Mapping[str, str] | None = None,
    extensions: Mapping[str, JsonValue] | None = None,
) -> ProblemResponse:
    body = {
        "type": TYPE_PREFIX + code,
        "title": title,
        "status": status,
        "detail": detail,
        "instance": sub_path_of(request.scope) + request.url.path,
        "code": code,
        "request_id": request_id_of(request.scope),
        **(extensions or {}),
    }
    return ProblemResponse(orjson.dumps(body), status, headers=dict(headers or {}))


def problem_of(request: HTTPConnection, error: PartywallError) -> ProblemResponse:
    """The answer for an error; a router *returns* it where what the service stored must be kept."""
    return problem(
        request, error.status, error.code, error.title, error.detail,
        headers=error.headers, extensions=error.extensions,
    )  # fmt: skip


def documented(*errors: type[PartywallError]) -> dict[int | str, dict[str, JsonValue]]:
    """The `responses=` of a route that can answer with these errors."""
    found: dict[int | str, dict[str, JsonValue]] = {}
    for error in errors:
        entry = found.setdefault(error.status, {"description": "", "content": {MEDIA_TYPE: {"schema": {
            "$ref": "#/components/schemas/Problem"}}}})  # fmt: skip
        lines = [part for part in (str(entry["description"]), f"`{error.code}`: {error.title}") if part]
        entry["description"] = "; ".join(lines)
    return found


async def _on_error(request: Request, error: Exception) -> Response:
    assert isinstance(error, PartywallError)
    return problem_of(request, error)


def pointer(location: Sequence[str | int]) -> str:
    """`("body", "documents", 0, "title")` -> `/documents/0/title`; parameters keep their place: `/query/limit`."""
    parts = location[1:] if location and location[0] == "body" else location
    return "".join("/" + str(part).replace("~", "~0").replace("/", "~1") for part in parts)


async def _on_invalid(request: Request, error: Exception) -> Response:
    assert isinstance(error, RequestValidationError)
    found = error.errors()
    if _wrong_media_type(request, error):
        return problem_of(request, UnsupportedMediaTypeError("The route reads bodies of another type."))
    if any(item.get("type") == "json_invalid" for item in found):
        return _invalid_json(request, "The body is not valid JSON.")
    extensions: dict[str, JsonValue] = {
        "errors": [
            {
                "pointer": _shown(pointer(item["loc"]) + item.get("ctx", {}).get("pointer", "")),
                "message": _shown(str(item["msg"])),
            }
            for item in found[:MOST_ERRORS]
        ]
    }
    if len(found) > MOST_ERRORS:
        extensions["more_errors"] = len(found) - MOST_ERRORS
    return problem(
        request, 422, "validation_failed", "The request is not valid", "See errors.", extensions=extensions
    )  # fmt: skip


def _invalid_json(request: Request, detail: str) -> ProblemResponse:
    return problem(request, 400, "invalid_json", "The body is not valid JSON", detail)


async def _on_invalid_handshake(request: Request, error: Exception) -> Response:
    assert isinstance(error, WebSocketRequestValidationError)
    return problem(request, 422, "validation_failed", "The request is not valid", "The address is not valid.")


def _wrong_media_type(request: Request, error: RequestValidationError) -> bool:
    """The body says itself that it is of another kind than the route's, and so could not be read as that."""
    given = _media_type(request)
    if isinstance(error.body, FormData):
        return _is_json(given)
    unread = isinstance(error.body, bytes) and any(item["loc"] == ("body",) for item in error.errors())
    return unread and bool(given) and not _is_json(given)


def _media_type(request: Request) -> str:
    return request.headers.get("content-type", "").partition(";")[0].strip().lower()


def _is_json(media_type: str) -> bool:
    return media_type == "application/json" or media_type.endswith("+json")


def allowed_methods(request: Request) -> list[str]:
    """Every method of the path that the request has met: the framework names those of its first route alone."""
    matching = [
        route
        for route in iter_route_contexts(request.app.routes)
        if route.path_regex is not None and route.path_regex.match(request.url.path)
    ]
    # Of `/documents/stats` and `/documents/{document_id}` the earlier one serves the path.
    methods = {method for route in matching if route.path == matching[0].path for method in route.methods or ()}
    return sorted(methods | {"HEAD"} if "GET" in methods else methods)


def _shown(text: str) -> str:
    """Printable, and cut where the client has made it long."""
    if len(text) > _MOST_CHARACTERS:
        text = text[:_MOST_CHARACTERS] + "…"
    return text.encode("utf-8", "replace").decode()


async def _on_http(request: Request, error: Exception) -> Response:
    assert isinstance(error, HTTPException)
    status = error.status_code
    if status == HTTPStatus.BAD_REQUEST and _is_json(_media_type(request)):
        for kind, detail in _UNREADABLE:
            if isinstance(error.__cause__, kind):
                return _invalid_json(request, detail)
    title = HTTPStatus(status).phrase
    headers = {**(error.headers or {})}
    if status == HTTPStatus.METHOD_NOT_ALLOWED:
        headers["Allow"] = ", ".join(allowed_methods(request))
    return problem(request, status, _CODES.get(status, "http_error"), title, str(error.detail), headers=headers)


async def _on_database(request: Request, error: Exception) -> Response:
    return problem_of(request, database_fact(error))


def database_fact(error: Exception) -> PartywallError:
    """The database being away, or too slow, is said as such; anything else it refuses is our fault and raised again."""
    if isinstance(error, PoolTimeoutError) or (isinstance(error, DBAPIError) and _is_away(error)):
        log.warning("database_away", error=type(getattr(error, "orig", error)).__name__)
        return DatabaseAwayError()
    raise error


def _is_away(error: DBAPIError) -> bool:
    cause = None if error.orig is None else error.orig.__cause__
    return error.connection_invalidated or isinstance(error, InterfaceError) or is_away(cause)


def crash_problem(request: HTTPConnection) -> ProblemResponse:
    """The answer to what nobody foresaw: it says nothing but the request id."""
    return problem(request, 500, "internal_error", "Internal error", "Something went wrong; quote the request id.")


def install_problem_handlers(app: FastAPI) -> None:
    app.add_exception_handler(PartywallError, _on_error)
    app.add_exception_handler(RequestValidationError, _on_invalid)
    app.add_exception_handler(WebSocketRequestValidationError, _on_invalid_handshake)
    app.add_exception_handler(HTTPException, _on_http)
    app.add_exception_handler(DBAPIError, _on_database)
    app.add_exception_handler(PoolTimeoutError, _on_database)
