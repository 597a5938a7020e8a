"""How far the request has come that a connection is sending, and when that is too much or too slow."""

from __future__ import annotations

from dataclasses import dataclass
from enum import Enum
from typing import Final

from partywall.core.http.request_head import HEADER_BYTES, URL_BYTES

# All that may come before a head is whole, with what is no header. Of a whole one the application judges each part.
HEAD_BYTES: Final = URL_BYTES + HEADER_BYTES + 8 * 1024
# What may come with a body that is no part of it: the sizes and extensions of chunks, and trailers.
FRAMING_BYTES: Final = 64 * 1024


class Part(Enum):
    """What is being awaited."""

    NOTHING = 0
    HEAD = 1
    BODY = 2


@dataclass(slots=True)
class Progress:
    """Of one request. A connection owes a head from its first moment on."""

    since: float
    part: Part = Part.HEAD
    has_begun: bool = False
    _size: int = 0
    _content: int = 0
    _before: int = 0
    _failed_rounds: int = 0

    def begin(self, part: Part, now: float, content: int = 0) -> None:
        self.part, self.since, self.has_begun = part, now, True
        self._size = self._content = self._failed_rounds = 0
        self._before = content

    def admits(self, size: int, content: int) -> bool:
        """Whether so many more bytes may come; `content` is how much of the body has come in all."""
        self._size += size
        self.has_begun = True
        if self.part is Part.HEAD:
            return self._size <= HEAD_BYTES
        content -= self._before
        self._failed_rounds = 0 if content > self._content else self._failed_rounds + size
        self._content = content
        return self._failed_rounds <= FRAMING_BYTES and self._size - content <= FRAMING_BYTES + content

    def due(self, header_seconds: float, body_seconds: float, rate: int) -> float:
        if self.part is Part.HEAD:
            return self.since + header_seconds
        return self.since + body_seconds + self._size / rate
