"""Stores large answers on disk while clients read them, so that slow clients use no extra memory."""

from __future__ import annotations

from collections.abc import AsyncIterator, Awaitable, Callable, Mapping
from contextlib import AbstractAsyncContextManager, AsyncExitStack, asynccontextmanager
from pathlib import Path
from typing import Final

from starlette.responses import Response
from starlette.types import Receive, Scope, Send

from partywall.core.budget import BudgetSpentError, SharedBudget
from partywall.core.http.spool import Spool, SpooledBody
from partywall.core.storage import StorageFullError

# Larger answers are stored on disk.
LARGE_BYTES: Final = 256 * 1024
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

    async def json(self, caller: str, size: int, produce: Callable[[], Awaitable[Produced]]) -> Response:
        """The answer of `produce`: JSON of about `size` bytes, with headers; raises BudgetSpentError."""
        async with AsyncExitStack() as stack:
            file = await stack.enter_async_context(self._open(caller, size))
            async with self._memory.take(caller, 2 * size, _TURN_SECONDS):
                body, headers = await produce()
                await file.write(body)
            return SpooledAnswer(file, headers, stack.pop_all())

    @asynccontextmanager
    async def room(self, caller: str, size: int) -> AsyncIterator[None]:
        """Holds memory for work that leads to an answer of about `size` bytes; raises BudgetSpentError."""
        if size <= LARGE_BYTES:
            yield
            return
        async with self._memory.take(caller, 2 * size, _TURN_SECONDS):
            yield

    async def copied(self, caller: str, size: int, pieces: AsyncIterator[bytes]) -> AsyncIterator[bytes]:
        """Yields the pieces once all are on disk, so that a slow client does not hold their source."""
        async with self._open(caller, size) as file:
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

    async def send(self, caller: str, answer: Response, request: tuple[Scope, Receive, Send]) -> None:
        """Sends an answer that is already in memory and must not fail: from memory if the disk has no space."""
        async with AsyncExitStack() as stack:
            try:
                file = await stack.enter_async_context(self._open(caller, len(answer.body), waits=False))
                await file.write(bytes(answer.body))
            except (BudgetSpentError, StorageFullError):
                await Response.__call__(answer, *request)
                return
            answer.body = b""
            await _send_file(file, answer.status_code, answer.raw_headers, request[2])

    def _open(self, caller: str, size: int, *, waits: bool = True) -> AbstractAsyncContextManager[SpooledBody]:
        return self._spool.open(caller, max(size, _LEAST_BYTES), _TURN_SECONDS if waits else 0.0)


class SpooledAnswer(Response):
    """JSON from a file, which is closed with the answer."""

    media_type = "application/json"

    def __init__(self, file: SpooledBody, headers: Mapping[str, str], held: AsyncExitStack) -> None:
        self.status_code = 200
        self.background = None
        self.body = b""
        self._file = file
        self._held = held
        self.init_headers({**headers, "Content-Length": str(file.size)})

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:  # noqa: ARG002 - ASGI's signature
        async with self._held:
            await _send_file(self._file, self.status_code, self.raw_headers, send)


async def _send_file(file: SpooledBody, status: int, headers: list[tuple[bytes, bytes]], send: Send) -> None:
    await send({"type": "http.response.start", "status": status, "headers": headers})
    async for piece in file.pieces():
        await send({"type": "http.response.body", "body": piece, "more_body": True})
    await send({"type": "http.response.body", "body": b"", "more_body": False})
