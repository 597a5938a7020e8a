"""W3C Trace Context: which trace a request belongs to, from where it came to where it goes on."""

from __future__ import annotations

import re
from typing import Final

from starlette.types import Scope

# Of later versions the same four fields are read, and passed on as version 00, as the recommendation says.
_GIVEN: Final = re.compile(rb"(?!ff)[0-9a-f]{2}-((?!0{32})[0-9a-f]{32}-(?!0{16})[0-9a-f]{16}-[0-9a-f]{2})(?:-.*)?")
_LONGEST: Final = 200


def read_traceparent(given: bytes | None) -> str | None:
    """The header if it is one, without what later versions add; None for anything else."""
    if given is None or len(given) > _LONGEST:
        return None
    found = _GIVEN.fullmatch(given)
    if found is None or (given.startswith(b"00-") and len(given) != len(b"00-") + len(found[1])):
        return None
    return f"00-{found[1].decode()}"


def traceparent_of(scope: Scope) -> str | None:
    """Of a request; more than one is as good as none."""
    given = [value for name, value in scope["headers"] if name == b"traceparent"]
    return read_traceparent(given[0]) if len(given) == 1 else None
