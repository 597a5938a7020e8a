"""Reads how long a server asks clients to wait, in any of the common forms."""

from __future__ import annotations

import json
import re
from collections.abc import Iterator, Mapping
from datetime import UTC, datetime
from email.utils import parsedate_to_datetime
from typing import Final

MOST_SECONDS: Final = 999_999_999.0
_LONGEST_VALUE: Final = 100  # in characters: the values are not trusted
_LONGEST_BODY: Final = 64 * 1024
_LONGEST_WORDS: Final = 4_000
# OpenAI's and Azure's headers, which are more precise than the standard one.
_MILLISECONDS: Final = ("retry-after-ms", "x-ms-retry-after-ms")
_SECONDS: Final = "retry-after"

_UNITS: Final = {"ms": 0.001, "s": 1.0, "m": 60.0, "h": 3600.0, "d": 86_400.0}
_NUMBER: Final = r"[0-9]++(?:\.[0-9]*+)?+|\.[0-9]++"
_PLAIN: Final = re.compile(_NUMBER, re.ASCII)
_PART: Final = re.compile(
    rf"(?P<number>{_NUMBER}) ?+(?P<unit>milliseconds?+|ms|s(?:ec(?:ond)?+s?+)?+|m(?:in(?:ute)?+s?+)?+"
    r"|h(?:ours?+)?+|d(?:ays?+)?+)(?![a-z]) ?+",
    re.ASCII | re.IGNORECASE,
)
# "Please try again in 1m26.4s", "Please retry after 45 seconds", "Please wait 30 seconds", "available in 30 seconds"
_ASKED: Final = re.compile(
    r"(?:(?:try|retry|wait)(?: again| your request)?+ (?:in|after|for) |wait |available (?:again )?+in )"
    r"(?:at least |about |another )?+",
    re.IGNORECASE,
)
# A number that is nearer to now than this, in seconds or milliseconds, is a Unix time and not a duration.
_NEAR: Final = 366 * 86_400.0
# JSON fields of Google's `details`, of gateways and of chat services, and their units.
_NAMES: Final = {"retryDelay": 1.0, "retry_after": 1.0, "retryAfter": 1.0, "retry_after_seconds": 1.0,
                 "retry_after_ms": 0.001, "retryAfterMs": 0.001, "estimated_time": 1.0}  # fmt: skip
_INNER: Final = ("error", "details", "metadata", "parameters")
_MOST_PARTS: Final = 100


def seconds_asked(headers: Mapping[str, str], now: float | None, body: bytes = b"") -> float | None:
    """Seconds to wait, or None if the answer does not say.

    `now` is Unix time; without it, the answer's `Date` is used. The longest value in the headers counts; if they have
    none, the body is read.
    """
    now = _moment(headers.get("date", "")[:_LONGEST_VALUE]) if now is None else now
    found = [_number(part, 0.001) for name in _MILLISECONDS for part in _listed(headers.get(name, ""))]
    found.append(seconds_in(headers.get(_SECONDS, ""), now))
    said = [each for each in found if each is not None]
    return max(said) if said else _in_body(body[:_LONGEST_BODY])


def seconds_in(value: str, now: float | None) -> float | None:
    """Seconds in a `Retry-After` value: a number, perhaps with a fraction or a unit, a Unix time, or a date.

    Repeated headers arrive as one, with commas in between: the longest counts.
    """
    return max((each for part in _listed(value) if (each := _seconds_in(part, now)) is not None), default=None)


def _listed(value: str) -> list[str]:
    """The parts between commas. A date is read without its day of the week, which is a part of its own."""
    return [part.strip() for part in value.strip()[:_LONGEST_VALUE].split(",")]


def _seconds_in(part: str, now: float | None) -> float | None:
    if _PLAIN.fullmatch(part):
        return _until_unix_time(float(part), now) if now is not None else _number(part, 1.0)
    seconds = _duration(part, whole=True)
    return _until(part, now) if seconds is None else seconds


def _until_unix_time(number: float, now: float) -> float:
    """The seconds until then, or the number itself where it is none."""
    for unit in (1.0, 0.001):
        at = number * unit
        if at > MOST_SECONDS and abs(at - now) <= _NEAR:
            return max(0.0, at - now)
    return min(number, MOST_SECONDS)


def _number(value: object, unit: float) -> float | None:
    if isinstance(value, str):
        digits = value.strip()[:_LONGEST_VALUE]
        value = float(digits) if _PLAIN.fullmatch(digits) else None
    if isinstance(value, bool) or not isinstance(value, int | float) or not value >= 0:
        return None
    return min(value, MOST_SECONDS / unit) * unit


def _duration(value: str, *, whole: bool) -> float | None:
    """Seconds in `45s`, `45 seconds` or `1m26.4s`, at the beginning of the value or as the whole of it."""
    at, seconds = 0, 0.0
    while part := _PART.match(value, at):
        seconds += float(part["number"]) * _UNITS[_unit(part["unit"].lower())]
        at = part.end()
    if not at or (whole and at < len(value)):
        return None
    return min(seconds, MOST_SECONDS)


def _unit(written: str) -> str:
    return "ms" if written.startswith(("ms", "mil")) else written[0]


def _until(value: str, now: float | None) -> float | None:
    at = _moment(value)
    return None if at is None or now is None else min(max(0.0, at - now), MOST_SECONDS)


def _moment(value: str) -> float | None:
    for read in (parsedate_to_datetime, datetime.fromisoformat):
        try:
            at = read(value)
            return (at if at.tzinfo else at.replace(tzinfo=UTC)).timestamp()
        except (ValueError, TypeError, OverflowError):
            continue
    return None


def _in_body(body: bytes) -> float | None:
    if not body:
        return None
    try:
        said: object = json.loads(body)
    except (ValueError, RecursionError):
        return _in_words(body.decode("utf-8", "replace"))
    parts = list(_parts(said))
    for name, unit in _NAMES.items():
        found = [seconds for part in parts if (seconds := _named(part.get(name), unit)) is not None]
        if found:
            return max(found)
    words = (part.get("message") or part.get("error") or part.get("detail") for part in parts)
    return next((seconds for each in words if (seconds := _in_words(each)) is not None), None)


def _named(value: object, unit: float) -> float | None:
    """Google writes seconds as `45.8s`, or as an object with `seconds`."""
    if isinstance(value, dict):
        value = value.get("seconds")
    number = _number(value, unit)
    if number is None and isinstance(value, str):
        return _duration(value.strip()[:_LONGEST_VALUE], whole=True)
    return number


def _parts(said: object) -> Iterator[dict[str, object]]:
    """The nested objects of an error body, breadth first and bounded."""
    waiting = [said]
    for _ in range(_MOST_PARTS):
        if not waiting:
            return
        match waiting.pop(0):
            case list() as several:
                waiting += several[:_MOST_PARTS]
            case dict() as part:
                yield part
                waiting += [part[name] for name in _INNER if isinstance(part.get(name), dict | list)]
            case _:
                pass


def _in_words(words: object) -> float | None:
    if not isinstance(words, str):
        return None
    words = words[:_LONGEST_WORDS]
    ends = (asked.end() for asked in _ASKED.finditer(words))
    found = (_duration(words[end : end + _LONGEST_VALUE], whole=False) for end in ends)
    return next((seconds for seconds in found if seconds is not None), None)
