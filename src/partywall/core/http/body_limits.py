"""Limits of request bodies. A route that takes more than the default sets `max_body_size=`."""

from __future__ import annotations

from typing import Final

# The default of a route, that of a public one, and that of a large one.
ORDINARY_BYTES: Final = 64 * 1024
PUBLIC_BYTES: Final = 8 * 1024
MEDIUM_BYTES: Final = 256 * 1024
LARGE_BYTES: Final = 32 * 1024 * 1024
# Of a route that takes files. The settings limit it further.
FILE_BYTES: Final = 17 * 1024**3

ORDINARY_VALUES: Final = 5_000
PUBLIC_VALUES: Final = 100
LARGE_VALUES: Final = 50_000


def values_for(max_bytes: int) -> int:
    """How many JSON values a body of at most so many bytes may have."""
    if max_bytes <= PUBLIC_BYTES:
        return PUBLIC_VALUES
    return ORDINARY_VALUES if max_bytes <= MEDIUM_BYTES else LARGE_VALUES
