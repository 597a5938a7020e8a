"""Tracks how much of a request has arrived, and whether that is too much or too slow."""

from __future__ import annotations

from dataclasses import dataclass
from enum import Enum
from typing import Final

from partywall.core.http.request_head import HEADER_BYTES, URL_BYTES

# The most bytes before a head is complete, with everything that is no header. The application checks a complete head.
HEAD_BYTES: Final = URL_BYTES + HEADER_BYTES + 8 * 1024
# The most bytes around a body: chunk sizes, chunk extensions and trailers.
FRAMING_BYTES: Final = 64 * 1024


class Part(Enum):
    """What the connection waits for."""

    NOTHING = 0
    HEAD = 1
    BODY = 2


@dataclass(slots=True)
class Progress:
    """The progress of one request. A connection must send a head from its start."""

    since: float
    part: Part = Part.HEAD
    has_begun: bool = False
    _size: int = 0
    _content: int = 0
    _before: int = 0
    _framing: int = 0

    def begin(self, part: Part, now: float, content: int = 0) -> None:
        self.part, self.since, self.has_begun = part, now, True
        self._size = self._content = self._framing = 0
        self._before = content

    def admits(self, size: int, content: int) -> bool:
        """Whether `size` more bytes may arrive; `content` is how much of the body has arrived in all."""
        self._size += size
        self.has_begun = True
        if self.part is Part.HEAD:
            return self._size <= HEAD_BYTES
        content -= self._before
        self._framing = 0 if content > self._content else self._framing + size
        self._content = content
        return self._framing <= FRAMING_BYTES and self._size - content <= FRAMING_BYTES + content

    def due(self, header_seconds: float, body_seconds: float, rate: int) -> float:
        if self.part is Part.HEAD:
            return self.since + header_seconds
        return self.since + body_seconds + self._size / rate
