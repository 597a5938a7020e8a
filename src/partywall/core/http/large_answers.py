"""Large answers wait on disk for clients to take them: what is in memory does not depend on how slowly they read."""

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

# What is larger is large.
LARGE_BYTES: Final = 256 * 1024
# How long an answer waits for its turn.
_TURN_SECONDS: Final = 10.0
# An answer counts for so much at least: each has a piece of itself in memory while it is sent.
_LEAST_BYTES: Final = 4 * 1024 * 1024
_PIECE_BYTES: Final = 1024 * 1024

type Produced = tuple[bytes, Mapping[str, str]]


class LargeAnswers:
    """Those of one process. A caller has at most a third of what all may take, on disk and in memory."""

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
        """How many wait for memory."""
        return self._memory.waiting

    async def json(self, caller: str, size: int, produce: Callable[[], Awaitable[Produced]]) -> Response:
        """What `produce` gives, a text of about that size in JSON with its headers; raises BudgetSpentError."""
        async with AsyncExitStack() as stack:
            file = await stack.enter_async_context(self._open(caller, size))
            async with self._memory.take(caller, 2 * size, _TURN_SECONDS):
                body, headers = await produce()
                await file.write(body)
            return SpooledAnswer(file, headers, stack.pop_all())

    @asynccontextmanager
    async def room(self, caller: str, size: int) -> AsyncIterator[None]:
        """Memory for what is worked on before it is an answer of about that size; raises BudgetSpentError."""
        if size <= LARGE_BYTES:
            yield
            return
        async with self._memory.take(caller, 2 * size, _TURN_SECONDS):
            yield

    async def copied(self, caller: str, size: int, pieces: AsyncIterator[bytes]) -> AsyncIterator[bytes]:
        """The pieces, as soon as all are here, so that their source is not held for a slow client."""
        async with self._open(caller, size) as file:
            async with self._memory.take(caller, 2 * _PIECE_BYTES, _TURN_SECONDS):
                async for piece in pieces:
                    await file.write(piece)
            async for piece in file.pieces():
                yield piece

    async def counted(self, caller: str, size: int, pieces: AsyncIterator[bytes]) -> AsyncIterator[bytes]:
        """The pieces of what is on disk already."""
        async with self._room.take(caller, max(size, _LEAST_BYTES), _TURN_SECONDS):
            async for piece in pieces:
                yield piece

    async def send(self, caller: str, answer: Response, request: tuple[Scope, Receive, Send]) -> None:
        """An answer that is here already, and that has happened: where there is no room it is sent from memory."""
        async with AsyncExitStack() as stack:
            try:
                file = await stack.enter_async_context(self._open(caller, len(answer.body), waits=False))
                await file.write(bytes(answer.body))
            except (BudgetSpentError, StorageFullError):
                await Response.__call__(answer, *request)
                return
            answer.body = b""
            await _pour(file, answer.status_code, answer.raw_headers, request[2])

    def _open(self, caller: str, size: int, *, waits: bool = True) -> AbstractAsyncContextManager[SpooledBody]:
        return self._spool.open(caller, max(size, _LEAST_BYTES), _TURN_SECONDS if waits else 0.0)


class SpooledAnswer(Response):
    """JSON out of a file, which ends with it."""

    media_type = "application/json"

    def __init__(self, file: SpooledBody, headers: Mapping[str, str], held: AsyncExitStack) -> None:
        self.status_code = 200
        self.background = None
        self.body = b""
        self._file = file
        self._held = held
        self.init_headers({**headers, "Content-Length": str(file.size)})

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:  # noqa: ARG002 - as ASGI has it
        async with self._held:
            await _pour(self._file, self.status_code, self.raw_headers, send)


async def _pour(file: SpooledBody, status: int, headers: list[tuple[bytes, bytes]], send: Send) -> None:
    await send({"type": "http.response.start", "status": status, "headers": headers})
    async for piece in file.pieces():
        await send({"type": "http.response.body", "body": piece, "more_body": True})
    await send({"type": "http.response.body", "body": b"", "more_body": False})
