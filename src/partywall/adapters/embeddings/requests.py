"""Texts in requests of a size that the server takes: what it refuses is halved, and shortened in the end."""

from __future__ import annotations

import asyncio
from collections import deque
from collections.abc import Awaitable, Callable, Sequence
from dataclasses import dataclass, field
from typing import Final

import numpy as np

from partywall.core.embedding import EmbeddingError, EmbeddingUnavailable, TextVectors, Vectors

# Parts of a text that is refused alone, one after the other.
_PARTS: Final = (2, 4, 8, 16)
_SHORTEST: Final = 64
_PING: Final = "ping"
# A text that breaks the server may have come at a bad moment.
_MOMENTS: Final = 2
_MOMENT_SECONDS: Final = 0.5
# Failures in a row after which a harmless text is tried: fewer than those after which a server is left alone.
_IN_A_ROW: Final = 4

type Ask = Callable[[list[str]], Awaitable[Vectors]]


class RequestRefused(EmbeddingError):
    """The server does not take this request: a `broken` one it has failed at, a `slow` one it has not answered."""

    def __init__(self, message: str, *, broken: bool = False, slow: bool = False) -> None:
        super().__init__(message)
        self.broken = broken or slow
        self.slow = slow


@dataclass(slots=True)
class RequestSize:
    """How many texts the server takes at once, as far as it is known."""

    most: int


@dataclass(slots=True)
class Requests:
    """One call. `ask` raises RequestRefused for what smaller requests may get through, and others for all else."""

    ask: Ask
    size: RequestSize
    texts: Sequence[str]
    vectors: Vectors
    _pieces: deque[tuple[int, int]] = field(default_factory=deque)
    _refused: dict[int, str] = field(default_factory=dict)
    _shortened: set[int] = field(default_factory=set)
    _most: int = 0
    _smallest_refused: int = 0
    _largest_taken: int = 0
    _failures: int = 0

    async def run(self) -> TextVectors:
        """Raises EmbeddingUnavailable where the server takes not even a harmless text."""
        self._most = self.size.most
        self._pieces.append((0, len(self.texts)))
        while self._pieces:
            start, end = self._pieces.popleft()
            if end - start > self._most:
                self._pieces.extendleft(reversed(_cut(start, end, self._most)))
            elif start < end:
                await self._take(start, end)
        if self._refused and not self._largest_taken:
            await self._require_alive()
        if self._smallest_refused and not self._refused and not self._shortened:
            self.size.most = min(self.size.most, self._largest_taken)
        return TextVectors(self.vectors, self._refused, frozenset(self._shortened))

    async def _take(self, start: int, end: int) -> None:
        count = end - start
        try:
            self.vectors[start:end] = await self.ask(list(self.texts[start:end]))
        except RequestRefused as error:
            await self._note(error)
            if count == 1:
                await self._take_alone(start, error)
                return
            self._smallest_refused = min(self._smallest_refused or count, count)
            self._pieces.extendleft(reversed(_cut(start, end, (count + 1) // 2)))
        else:
            self._failures = 0
            self._largest_taken = max(self._largest_taken, count)
            if self._smallest_refused > count:
                self._most = max(count, 1)

    async def _take_alone(self, position: int, error: RequestRefused) -> None:
        text = self.texts[position]
        beginnings = [text[: len(text) // part] for part in _PARTS if len(text) // part >= _SHORTEST]
        again = [text] * _MOMENTS if error.broken else []
        for each in () if error.slow else (*again, *beginnings):
            if error.broken:
                await asyncio.sleep(_MOMENT_SECONDS)
            try:
                [self.vectors[position]] = await self.ask([each])
            except RequestRefused as other:
                await self._note(other)
            else:
                self._failures = 0
                if each is not text:
                    self._shortened.add(position)
                return
        self._refused[position] = str(error)

    async def _note(self, error: RequestRefused) -> None:
        """A server that fails is asked for something harmless: is it the text, or is it down?"""
        if error.broken:
            self._failures += 1
            if self._failures % _IN_A_ROW == 1:
                await self._require_alive()

    async def _require_alive(self) -> None:
        try:
            await self.ask([_PING])
        except RequestRefused as error:
            raise EmbeddingUnavailable(str(error)) from error


def new_vectors(count: int, dimension: int) -> Vectors:
    return np.zeros((count, dimension), dtype=np.float32)


def _cut(start: int, end: int, most: int) -> list[tuple[int, int]]:
    return [(first, min(first + most, end)) for first in range(start, end, most)]
