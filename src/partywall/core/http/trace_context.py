"""W3C Trace Context: the trace of a request, from its sender to outgoing calls."""

from __future__ import annotations

import re
from typing import Final

from starlette.types import Scope

# The same four fields are read from later versions and passed on as version 00, as the recommendation says.
_GIVEN: Final = re.compile(rb"(?!ff)[0-9a-f]{2}-((?!0{32})[0-9a-f]{32}-(?!0{16})[0-9a-f]{16}-[0-9a-f]{2})(?:-.*)?")
_LONGEST: Final = 200


def read_traceparent(given: bytes | None) -> str | None:
    """The header if it is valid, without additions of later versions; None otherwise."""
    if given is None or len(given) > _LONGEST:
        return None
    found = _GIVEN.fullmatch(given)
    if found is None or (given.startswith(b"00-") and len(given) != len(b"00-") + len(found[1])):
        return None
    return f"00-{found[1].decode()}"


def traceparent_of(scope: Scope) -> str | None:
    """The request's trace; None if the header occurs several times."""
    given = [value for name, value in scope["headers"] if name == b"traceparent"]
    return read_traceparent(given[0]) if len(given) == 1 else None
