"""Turns every failure into problem details (RFC 9457)."""

from __future__ import annotations

from collections.abc import Mapping
from http import HTTPStatus
from typing import Final

import orjson
import structlog
from fastapi import FastAPI, Request
from fastapi.exceptions import RequestValidationError, WebSocketRequestValidationError
from fastapi.routing import iter_route_contexts
from pydantic import JsonValue
from pydantic_core import ErrorDetails
from starlette.datastructures import FormData
from starlette.exceptions import HTTPException
from starlette.requests import HTTPConnection
from starlette.responses import Response

from partywall.core.errors import PartywallError, UnsupportedMediaTypeError
from partywall.core.field_errors import field_errors
from partywall.core.http import hints
from partywall.core.http.request_facts import request_id_of
from partywall.core.http.sub_path import sub_path_of
from partywall.core.outages import ENGINE_ERRORS, outage_of
from partywall.core.storage_errors import StorageFullError, is_full

log = structlog.get_logger(__name__)

# The errors that middleware answers itself, like the handlers behind the router.
KNOWN_ERRORS: Final = (PartywallError, *ENGINE_ERRORS)
MEDIA_TYPE: Final = "application/problem+json"
TYPE_PREFIX: Final = "urn:partywall:problem:"
_CODES: Final = {
    400: "bad_request",
    404: "route_not_found",
    405: "method_not_allowed",
    413: "content_too_large",
    415: "unsupported_media_type",
}

# Errors other than syntax in the framework's parsing of JSON, which it passes on as the cause.
_UNREADABLE: Final = (
    (RecursionError, "The body is nested too deeply."),
    (UnicodeDecodeError, "The body is not UTF-8."),
    (ValueError, "The body has an integer of too many digits."),
)

_FORMS: Final = ("application/x-www-form-urlencoded", "multipart/form-data")


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
    """The answer to an error. A router *returns* it if what the service stored must be committed."""
    return problem(
        request, error.status, error.code, error.title, error.detail,
        headers=error.headers, extensions=error.extensions,
    )  # fmt: skip


def documented(*errors: type[PartywallError]) -> dict[int | str, dict[str, JsonValue]]:
    """The `responses=` of a route that may answer with these errors."""
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


def _in_body(found: ErrorDetails) -> ErrorDetails:
    """`("body", "documents", 0, "title")` -> `/documents/0/title`; parameters keep their place: `/query/limit`."""
    location = found["loc"]
    return {**found, "loc": location[1:]} if location and location[0] == "body" else found


async def _on_invalid(request: Request, error: Exception) -> Response:
    assert isinstance(error, RequestValidationError)
    found = error.errors()
    if _wrong_media_type(request, error):
        said = hints.of_media_type(_media_type(request), wants_form=isinstance(error.body, FormData))
        return problem_of(request, UnsupportedMediaTypeError(said))
    for item in found:
        if item.get("type") == "json_invalid":
            at = item["loc"][-1]
            return _invalid_json(request, f"The body is not valid JSON{f' at character {at}' if at else ''}.")
    extensions = field_errors([_in_body(each) for each in found])
    return problem(
        request, 422, "validation_failed", "The request is not valid", "See errors.", extensions=extensions
    )  # fmt: skip


def _invalid_json(request: Request, detail: str) -> ProblemResponse:
    return problem(request, 400, "invalid_json", "The body is not valid JSON", detail)


async def _on_invalid_handshake(request: Request, error: Exception) -> Response:
    assert isinstance(error, WebSocketRequestValidationError)
    return problem(request, 422, "validation_failed", "The request is not valid", "The address is not valid.")


def _wrong_media_type(request: Request, error: RequestValidationError) -> bool:
    """Whether a body could not be read because its Content-Type is not the route's."""
    given = _media_type(request)
    if isinstance(error.body, FormData):
        return given not in _FORMS and _has_body(request)
    unread = isinstance(error.body, bytes) and any(item["loc"] == ("body",) for item in error.errors())
    return unread and not _is_json(given)


def _has_body(request: Request) -> bool:
    return request.headers.get("content-length", "0") != "0" or "transfer-encoding" in request.headers


def _media_type(request: Request) -> str:
    return request.headers.get("content-type", "").partition(";")[0].strip().lower()


def _is_json(media_type: str) -> bool:
    return media_type == "application/json" or media_type.endswith("+json")


def allowed_methods(request: Request) -> list[str]:
    """All methods of the request's path; the framework names only those of its first route."""
    matching = [
        route
        for route in iter_route_contexts(request.app.routes)
        if route.path_regex is not None and route.path_regex.match(request.url.path)
    ]
    # The first matching path serves the request, such as `/documents/stats` before `/documents/{document_id}`.
    methods = {method for route in matching if route.path == matching[0].path for method in route.methods or ()}
    return sorted(methods | {"HEAD"} if "GET" in methods else methods)


async def _on_http(request: Request, error: Exception) -> Response:
    assert isinstance(error, HTTPException)
    status = error.status_code
    if is_full(error.__cause__):  # while reading a form
        return problem_of(request, StorageFullError())
    if status == HTTPStatus.BAD_REQUEST and _is_json(_media_type(request)):
        for kind, detail in _UNREADABLE:
            if isinstance(error.__cause__, kind):
                return _invalid_json(request, detail)
    title = HTTPStatus(status).phrase
    headers, detail = {**(error.headers or {})}, str(error.detail)
    if status == HTTPStatus.METHOD_NOT_ALLOWED:
        allowed = allowed_methods(request)
        headers["Allow"], detail = ", ".join(allowed), hints.of_method(request.method, allowed)
    if status == HTTPStatus.NOT_FOUND:
        detail = hints.of_path(request.url.path)
    return problem(request, status, _CODES.get(status, "http_error"), title, detail, headers=headers)


async def _on_system(request: Request, error: Exception) -> Response:
    return problem_of(request, system_fact(error))


def system_fact(error: Exception) -> PartywallError:
    """The outage behind an error: something is full, unavailable or too slow. Raises any other error again."""
    found = outage_of(error)
    if found is None:
        raise error
    return found


def problem_for(request: HTTPConnection, error: Exception) -> ProblemResponse:
    """The answer of middleware that caught one of `KNOWN_ERRORS`."""
    return problem_of(request, error if isinstance(error, PartywallError) else system_fact(error))


def failure(request: HTTPConnection, error: Exception) -> ProblemResponse:
    """The answer to an unhandled error. Unless it is an outage, it reveals only the request id."""
    found = outage_of(error)
    if found is not None:
        return problem_of(request, found)
    log.error("unhandled_error", exc_info=error)
    return problem(request, 500, "internal_error", "Internal error", "Something went wrong; quote the request id.")


def install_problem_handlers(app: FastAPI) -> None:
    app.add_exception_handler(PartywallError, _on_error)
    app.add_exception_handler(RequestValidationError, _on_invalid)
    app.add_exception_handler(WebSocketRequestValidationError, _on_invalid_handshake)
    app.add_exception_handler(HTTPException, _on_http)
    for kind in ENGINE_ERRORS:
        app.add_exception_handler(kind, _on_system)
