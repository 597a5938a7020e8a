"""Limits the memory that large bodies use while they are processed."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final

from starlette.requests import HTTPConnection

from partywall.core.budget import SharedBudget

# How long a large body waits for memory.
TURN_SECONDS: Final = 10.0
# Smaller bodies are not counted.
COUNTED_BYTES: Final = 256 * 1024
# The text as received, as sent to the database and as returned by it; in addition to the Python string.
_COPIES: Final = 3
_FOUR_BYTES: Final = bytes(range(0xF0, 0x100))


class CharacterWidth:
    """How many bytes per character Python needs for a UTF-8 or JSON text, from the pieces seen.

    One character decides for the whole text: an ASCII text with an emoji takes four times the space.
    """

    def __init__(self) -> None:
        self.bytes = 1
        self._end = b""

    def note(self, piece: bytes) -> None:
        if self.bytes < 4:
            self.bytes = max(self.bytes, _width_of(self._end + piece))
            self._end = piece[-2:]


def _width_of(piece: bytes) -> int:
    ascii_only, escapes = piece.isascii(), b"\\u" in piece
    if escapes and (b"\\ud" in piece or b"\\uD" in piece):
        return 4
    if not ascii_only and len(piece.translate(None, _FOUR_BYTES)) < len(piece):
        return 4
    return 1 if ascii_only and not escapes else 2


def memory_of(size: int, width: int) -> int:
    """Memory for a text of so many bytes."""
    return (_COPIES + width) * size


@dataclass(frozen=True, slots=True)
class BodyMemory:
    """Memory limits for all large bodies of a process: texts, and forms whose files are on disk.

    They are separate because an upload holds its form while it waits for memory for its text.
    """

    texts: SharedBudget[str]
    forms: SharedBudget[str]

    @classmethod
    def of(cls, total: int) -> BodyMemory:
        """A caller may use at most a third, and two large forms."""
        return cls(SharedBudget[str](total, total // 3), SharedBudget[str](total // 2, total // 4))


def body_memory(connection: HTTPConnection) -> BodyMemory:
    memory: BodyMemory = connection.app.state.body_memory
    return memory
