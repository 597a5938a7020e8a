"""Limits of request bodies. A route that takes more than the default sets `max_body_size=`."""

from __future__ import annotations

from typing import Final

# The default of a route, that of a public one, and that of a large one.
ORDINARY_BYTES: Final = 64 * 1024
PUBLIC_BYTES: Final = 8 * 1024
MEDIUM_BYTES: Final = 256 * 1024
LARGE_BODY_BYTES: Final = 32 * 1024 * 1024
# Of a route that takes files. The settings limit it further.
FILE_BYTES: Final = 17 * 1024**3

ORDINARY_VALUES: Final = 5_000
PUBLIC_VALUES: Final = 100
LARGE_VALUES: Final = 50_000


_STRUCTURE: Final = (b",", b"[", b"{")


def values_for(max_bytes: int) -> int:
    """How many JSON values a body of at most so many bytes may have."""
    if max_bytes <= PUBLIC_BYTES:
        return PUBLIC_VALUES
    return ORDINARY_VALUES if max_bytes <= MEDIUM_BYTES else LARGE_VALUES


def has_more_values_than(limit: int, text: bytes) -> bool:
    """Whether the text may contain more values than `limit`. Linear in time; its memory is bounded by the text's.

    Each value but the first follows one of three characters. Those inside strings are skipped when the count matters.
    Invalid JSON gets any result: its parser rejects it.
    """
    if _structure(text) < limit:
        return False
    plain = text.replace(b"\\\\", b"").replace(b'\\"', b"")
    if plain.count(b'"') > 4 * limit:  # each value has at most one string, plus one as its name
        return True
    return _structure(b"".join(plain.split(b'"')[::2])) >= limit


def _structure(text: bytes) -> int:
    return sum(text.count(each) for each in _STRUCTURE)
