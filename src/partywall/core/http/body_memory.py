"""What a large body takes in memory while it is worked on."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final

from starlette.requests import HTTPConnection

from partywall.core.budget import SharedBudget

# How long a large body waits until there is memory for it.
TURN_SECONDS: Final = 10.0
# What is smaller is not counted.
LARGE_BYTES: Final = 256 * 1024
# The text as it came, on its way to the database, and on its way back; beside the text as Python has it.
_COPIES: Final = 3
_FOUR_BYTES: Final = bytes(range(0xF0, 0x100))


class CharacterWidth:
    """How many bytes Python takes for each character of a text in UTF-8, or in JSON, whose pieces it has seen.

    One character decides it for all of them: an ASCII text with an emoji is four times as large.
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
    """Of a text of so many bytes."""
    return (_COPIES + width) * size


@dataclass(frozen=True, slots=True)
class BodyMemory:
    """What all large bodies of a process may take together: as texts, and as forms whose files are on disk.

    They are apart because an upload has its form while it waits for room for its text.
    """

    texts: SharedBudget[str]
    forms: SharedBudget[str]

    @classmethod
    def of(cls, total: int) -> BodyMemory:
        """A caller has at most a third of it, and two large forms."""
        return cls(SharedBudget[str](total, total // 3), SharedBudget[str](total // 2, total // 4))


def body_memory(connection: HTTPConnection) -> BodyMemory:
    memory: BodyMemory = connection.app.state.body_memory
    return memory
