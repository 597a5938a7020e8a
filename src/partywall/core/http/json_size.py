"""Counts the values of a JSON text, at most, without parsing it."""

from __future__ import annotations

from typing import Final

_STRUCTURE: Final = (b",", b"[", b"{")


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
