"""Errors that gateways report with a success status, as JSON instead of a stream or as an event of it."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Final

import orjson

type _Error = dict[str, object]

_HOLDERS: Final = ("error", "errors", "detail")
_CODES: Final = ("code", "status", "status_code")
_WORDS: Final = (*_CODES, "type", "message")
_STATUSES: Final = frozenset(map(str, range(400, 600)))
_MOST_READ: Final = 4_000
_UNKNOWN: Final = 400
# Lower-case phrases of errors without a status.
_PHRASES: Final = {
    429: ("rate limit", "rate_limit", "too many requests", "too_many_requests", "resource_exhausted"),
    503: ("overload", "unavailable", "temporar", "timeout", "timed out", "deadline_exceeded", "busy", "at capacity",
          "loading", "internal server error", "internal error", "internal_error", "server_error", "bad gateway",
          "try again later", "try again in", "retry later", "retry in", "retry after", "please retry"),
}  # fmt: skip


def status_in(said: bytes) -> int | None:
    """The status of the error that a body consists of, or None if it is none."""
    answer = _first(_parsed(said))
    error = _error_in(answer)
    if error is None:
        return None
    return _numbered(error, answer) or _worded(error) or _UNKNOWN


def with_usual_error(data: bytes) -> bytes:
    """An event's data; an error in an unusual form is rewritten as an object with `message` and `code`."""
    answer = _first(_parsed(data))
    error = _error_in(answer)
    if error is None:
        return data
    status = _numbered(error, answer) or (None if error.get("code") else _worded(error))
    others = answer if isinstance(answer, dict) and "choices" in answer else {}
    return orjson.dumps(others | {"error": error if status is None else error | {"code": status}})


def _parsed(said: bytes) -> object:
    try:
        return orjson.loads(said)
    except orjson.JSONDecodeError:
        return None


def _first(value: object) -> object:
    return value[0] if isinstance(value, list) and value else value


def _error_in(answer: object) -> _Error | None:
    if not isinstance(answer, dict):
        return None
    holders = ("error",) if "choices" in answer else _HOLDERS
    error = next((_first(answer[name]) for name in holders if answer.get(name)), None)
    if error is None and isinstance(answer.get("message"), str) and "choices" not in answer:
        error = answer
    return error if isinstance(error, dict) or error is None else {"message": str(error)}


def _numbered(error: Mapping[str, object], answer: object) -> int | None:
    holders = [error, answer] if isinstance(answer, dict) else [error]
    codes = (str(holder.get(name)) for holder in holders for name in _CODES)
    return next((int(code) for code in codes if code in _STATUSES), None)


def _worded(error: Mapping[str, object]) -> int | None:
    words = " ".join(str(error.get(name, ""))[:_MOST_READ] for name in _WORDS).lower()
    return next((status for status, phrases in _PHRASES.items() if any(each in words for each in phrases)), None)
