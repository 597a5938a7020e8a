"""Splits texts into requests of a size that the server accepts.

A failing request is halved until the text that causes the failure is found; that text is shortened, or marked as
refused or failed. A request with a harmless text tells a bad text from a server that is down.
"""

from __future__ import annotations

import asyncio
from collections import deque
from collections.abc import Awaitable, Callable, Sequence
from dataclasses import dataclass, field
from enum import Enum, auto
from typing import Final

import numpy as np

from partywall.adapters.embeddings.request_size import RequestSize
from partywall.core.embedders import EmbeddingError, EmbeddingUnavailable, TextVectors, Vectors

# A text refused alone is tried with its first half, quarter and so on.
_PARTS: Final = (2, 4, 8, 16)
_SHORTEST: Final = 64
_PING: Final = "ping"
# Retries of a single text that the server answered with an internal error, which may be temporary.
_RETRIES: Final = 2
_RETRY_SECONDS: Final = 0.5
# Failures in a row between two tries of the harmless text; fewer than open the circuit breaker.
_IN_A_ROW: Final = 4
# Failures per call; then the call ends, so that other accounts can use the server.
MOST_FAILURES: Final = 48
MOST_SLOW: Final = 6

type Ask = Callable[[list[str]], Awaitable[Vectors]]


class Fault(Enum):
    """What the server did: refused, reported an internal error, failed in another way, or timed out."""

    REFUSED = auto()
    BROKEN = auto()
    FAILED = auto()
    SLOW = auto()


class RequestFailed(EmbeddingError):
    """A smaller request may succeed, or the same one later."""

    def __init__(self, message: str, fault: Fault, retry_after: float | None = None) -> None:
        super().__init__(message)
        self.fault = fault
        self.retry_after = retry_after


class _Exhausted(Exception):
    """The call has reached its limit of failures."""


@dataclass(slots=True, eq=False)
class _Piece:
    """`texts[start:end]`, one half of `whole`; `accepted` counts the texts of its halves accepted unchanged."""

    start: int
    end: int
    whole: _Piece | None = None
    accepted: int = 0

    @property
    def count(self) -> int:
        return self.end - self.start

    def cut(self, most: int, whole: _Piece | None) -> list[_Piece]:
        return [_Piece(at, min(at + most, self.end), whole) for at in range(self.start, self.end, most)]


@dataclass(slots=True)
class Requests:
    """One call. `ask` raises RequestFailed, or EmbeddingUnavailable if the server cannot be reached."""

    ask: Ask
    size: RequestSize
    texts: Sequence[str]
    vectors: Vectors
    _pieces: deque[_Piece] = field(default_factory=deque)
    _asked: _Piece | None = None
    _done: set[int] = field(default_factory=set)
    _suspected: dict[int, str] = field(default_factory=dict)
    _refused: dict[int, str] = field(default_factory=dict)
    _failed: dict[int, str] = field(default_factory=dict)
    _shortened: set[int] = field(default_factory=set)
    _retry_after: float | None = None
    _largest_accepted: int = 0
    _failures: int = 0
    _slow: int = 0
    _in_a_row: int = 0

    async def run(self) -> None:
        """Raises EmbeddingUnavailable if the server fails even at the harmless text."""
        self.size.grow()
        self._pieces.append(_Piece(0, len(self.texts)))
        try:
            while self._pieces:
                piece = self._pieces.popleft()
                if piece.count > self.size.most:
                    self._pieces.extendleft(reversed(piece.cut(self.size.most, None)))
                elif piece.count:
                    await self._send(piece)
        except _Exhausted:
            return

    async def give_up(self) -> None:
        """Call when `run` has timed out. Raises EmbeddingUnavailable if the last request is not the cause."""
        error = RequestFailed("the embeddings endpoint does not answer in time", Fault.SLOW)
        await self._require_alive(error)
        if (asked := self._asked) is None:
            return
        if asked.count == 1:
            self._record_fault(asked.start, error)
        else:
            self._mark_suspected(asked, error)
            if not self._done and asked.count == self.size.most:
                self.size.refused(asked.count)

    def outcome(self, unavailable: EmbeddingUnavailable | None = None) -> TextVectors:
        """The results so far; raises `unavailable` if there are none."""
        if unavailable is not None and not self._done:
            raise unavailable
        left = frozenset(range(len(self.texts))) - self._done
        return TextVectors(
            self.vectors, self._refused, frozenset(self._shortened), self._failed, self._retry_after,
            left, {each: self._suspected[each] for each in left if each in self._suspected}, unavailable,
        )  # fmt: skip

    async def _send(self, piece: _Piece) -> None:
        self._asked, texts = piece, list(self.texts[piece.start : piece.end])
        error = await self._ask(texts, piece.start)
        if error is not None and error.fault is Fault.FAILED and piece.whole is None:
            error = await self._ask(texts, piece.start)  # the connection may just have been closed
        if error is None:
            self._accepted(piece)
        elif piece.count == 1:
            await self._try_alone(piece.start, error)
        else:
            self._halve(piece, error)
        self._asked = None

    def _halve(self, piece: _Piece, error: RequestFailed) -> None:
        self._mark_suspected(piece, error)
        halves = piece.cut((piece.count + 1) // 2, piece)
        if error.fault is Fault.SLOW and self._largest_accepted >= piece.count:  # not the size: quick ones first
            self._pieces.extend(halves)
        else:
            self._pieces.extendleft(reversed(halves))

    def _mark_suspected(self, piece: _Piece, error: RequestFailed) -> None:
        self._suspected |= dict.fromkeys(range(piece.start, piece.end), str(error))

    async def _ask(self, texts: list[str], position: int) -> RequestFailed | None:
        """Stores the vectors from `position` on; returns the failure, if any."""
        if self._failures >= MOST_FAILURES or self._slow >= MOST_SLOW:
            raise _Exhausted
        try:
            self.vectors[position : position + len(texts)] = await self.ask(texts)
        except RequestFailed as error:
            self._failures += 1
            self._slow += error.fault is Fault.SLOW
            await self._examine(error)
            return error
        self._in_a_row = 0
        return None

    async def _examine(self, error: RequestFailed) -> None:
        """After a failure, tries the harmless text to see whether the server is down."""
        if error.fault is not Fault.REFUSED:
            self._in_a_row += 1
            if self._in_a_row % _IN_A_ROW == 1:
                await self._require_alive(error)

    async def _require_alive(self, error: RequestFailed) -> None:
        try:
            await self.ask([_PING])
        except RequestFailed as other:
            asked = max(each.retry_after or 0.0 for each in (error, other))
            raise EmbeddingUnavailable(str(other), asked or None) from other

    def _accepted(self, piece: _Piece) -> None:
        self._done.update(range(piece.start, piece.end))
        self._largest_accepted = max(self._largest_accepted, piece.count)
        self.size.took(piece.count)
        if (whole := piece.whole) is not None:
            whole.accepted += piece.count
            if whole.accepted == whole.count:  # every text was accepted, so the request was too large
                self.size.refused(whole.count)

    async def _try_alone(self, position: int, error: RequestFailed) -> None:
        text = self.texts[position]
        beginnings = [text[: len(text) // part] for part in _PARTS if len(text) // part >= _SHORTEST]
        again = [text] * _RETRIES if error.fault is Fault.BROKEN else []
        for each in (*again, *beginnings) if error.fault in {Fault.REFUSED, Fault.BROKEN} else ():
            if error.fault is Fault.BROKEN:
                await asyncio.sleep(_RETRY_SECONDS)
            if await self._ask([each], position) is None:
                if each is not text:
                    self._shortened.add(position)
                self._done.add(position)
                return
        await self._require_alive(error)
        self._failures += 1
        self._record_fault(position, error)

    def _record_fault(self, position: int, error: RequestFailed) -> None:
        self._done.add(position)
        if error.fault in {Fault.REFUSED, Fault.BROKEN}:
            self._refused[position] = str(error)
        else:
            self._failed[position] = str(error)
            self._retry_after = max(self._retry_after or 0.0, error.retry_after or 0.0) or None


def new_vectors(count: int, dimension: int) -> Vectors:
    return np.zeros((count, dimension), dtype=np.float32)
