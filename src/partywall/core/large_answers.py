"""Stores large answers on disk while clients read them, so that slow clients use no extra memory."""

from __future__ import annotations

from collections.abc import AsyncIterator, Awaitable, Callable, Mapping
from contextlib import AbstractAsyncContextManager, asynccontextmanager
from pathlib import Path
from typing import Final

from partywall.core.budget import SharedBudget
from partywall.core.spool import Spool, SpooledBody

# Larger answers are stored on disk.
LARGE_ANSWER_BYTES: Final = 256 * 1024
# How long an answer waits for space.
_TURN_SECONDS: Final = 10.0
# The least that an answer counts: each keeps a piece in memory while it is sent.
_LEAST_BYTES: Final = 4 * 1024 * 1024
_PIECE_BYTES: Final = 1024 * 1024

type Produced = tuple[bytes, Mapping[str, str]]


class LargeAnswers:
    """Large answers of one process. A caller may use at most a third of the limits for disk and memory."""

    def __init__(self, directory: Path, *, on_disk: int, in_memory: int) -> None:
        self._room = SharedBudget[str](on_disk, on_disk // 3)
        self._memory = SharedBudget[str](in_memory, in_memory // 3)
        self._spool = Spool(directory, self._room)

    @property
    def under_way(self) -> int:
        """In bytes."""
        return self._room.taken

    @property
    def waiting(self) -> int:
        """Answers that wait for memory."""
        return self._memory.waiting

    @asynccontextmanager
    async def produced(
        self, caller: str, size: int, produce: Callable[[], Awaitable[Produced]]
    ) -> AsyncIterator[tuple[SpooledBody, Mapping[str, str]]]:
        """The answer of `produce`, of about `size` bytes, in a file, and its headers; raises BudgetSpentError."""
        async with self.file(caller, size) as file:
            async with self._memory.take(caller, 2 * size, _TURN_SECONDS):
                headers = await _written(file, produce)
            yield file, headers

    @asynccontextmanager
    async def room(self, caller: str, size: int) -> AsyncIterator[None]:
        """Holds memory for work that leads to an answer of about `size` bytes; raises BudgetSpentError."""
        if size <= LARGE_ANSWER_BYTES:
            yield
            return
        async with self._memory.take(caller, 2 * size, _TURN_SECONDS):
            yield

    async def copied(self, caller: str, size: int, pieces: AsyncIterator[bytes]) -> AsyncIterator[bytes]:
        """Yields the pieces once all are on disk, so that a slow client does not hold their source."""
        async with self.file(caller, size) as file:
            async with self._memory.take(caller, 2 * _PIECE_BYTES, _TURN_SECONDS):
                async for piece in pieces:
                    await file.write(piece)
            async for piece in file.pieces():
                yield piece

    async def counted(self, caller: str, size: int, pieces: AsyncIterator[bytes]) -> AsyncIterator[bytes]:
        """Yields the pieces of a file that is already on disk."""
        async with self._room.take(caller, max(size, _LEAST_BYTES), _TURN_SECONDS):
            async for piece in pieces:
                yield piece

    def file(self, caller: str, size: int, *, waits: bool = True) -> AbstractAsyncContextManager[SpooledBody]:
        """An empty file for `size` bytes; raises BudgetSpentError."""
        return self._spool.open(caller, max(size, _LEAST_BYTES), _TURN_SECONDS if waits else 0.0)


async def _written(file: SpooledBody, produce: Callable[[], Awaitable[Produced]]) -> Mapping[str, str]:
    """Returns the headers. A function of its own, so that nothing holds the body while the file is sent."""
    body, headers = await produce()
    await file.write(body)
    return headers
