"""Checkers of the supported JSON Schema formats, by their RFCs, in linear time for any input."""

from __future__ import annotations

import re
from datetime import datetime, timedelta
from ipaddress import IPv4Address, IPv6Address
from typing import Final

from jsonschema import FormatChecker

FORMATS: Final = ("date", "date-time", "email", "ipv4", "ipv6", "uuid")
# RFC 3339; datetime checks whether the day exists.
_INSTANT: Final = re.compile(
    r"(\d{4}-\d\d-\d\dT(?:[01]\d|2[0-3]):[0-5]\d:)([0-5]\d|60)(?:\.\d+)?(Z|[+-](?:[01]\d|2[0-3]):[0-5]\d)",
    re.ASCII | re.IGNORECASE,
)
# A mailbox of RFC 5321. The parts cannot overlap, so the match never backtracks far.
_MAILBOX: Final = re.compile(
    r"""(?P<local>[\w!#$%&'*+/=?^`{|}~-]+(?:\.[\w!#$%&'*+/=?^`{|}~-]+)*|"(?:[ !#-\[\]-~]|\\[ -~])*")@"""
    r"(?:[A-Za-z0-9](?:[A-Za-z0-9-]{0,61}[A-Za-z0-9])?(?:\.[A-Za-z0-9](?:[A-Za-z0-9-]{0,61}[A-Za-z0-9])?)*"
    r"|\[(?P<six>IPv6:)?(?P<literal>[0-9A-Fa-f.:]+)\])",
    re.ASCII,
)
_LONGEST_ADDRESS: Final = 254
_LONGEST_LOCAL_PART: Final = 64


def formats() -> FormatChecker:
    checker = FormatChecker([name for name in FORMATS if name not in ("date-time", "email")])
    checker.checks("date-time")(_is_instant)
    checker.checks("email")(_is_address)
    return checker


def _is_instant(value: object) -> bool:
    if not isinstance(value, str):
        return True
    match = _INSTANT.fullmatch(value)
    if match is None:
        return False
    start, second, offset = match.groups()
    leaps = second == "60"
    try:
        instant = datetime.fromisoformat(f"{start}{'59' if leaps else second}{offset}".upper())
    except ValueError:
        return False
    # A leap second is the last of its day in UTC.
    minutes = instant.hour * 60 + instant.minute - (instant.utcoffset() or timedelta()) // timedelta(minutes=1)
    return not leaps or minutes % (24 * 60) == 24 * 60 - 1


def _is_address(value: object) -> bool:
    """Whether the syntax is valid, not whether the mailbox exists."""
    if not isinstance(value, str):
        return True
    match = _MAILBOX.fullmatch(value) if len(value) <= _LONGEST_ADDRESS else None
    if match is None or len(match["local"]) > _LONGEST_LOCAL_PART:
        return False
    return match["literal"] is None or _is_ip(match["literal"], IPv6Address if match["six"] else IPv4Address)


def _is_ip(text: str, kind: type[IPv4Address | IPv6Address]) -> bool:
    try:
        kind(text)
    except ValueError:
        return False
    return True
