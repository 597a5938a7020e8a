"""Answers that are sent from disk (see `core.large_answers`)."""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Mapping
from contextlib import AsyncExitStack

from starlette.responses import Response
from starlette.types import Receive, Scope, Send

from partywall.core.budget import BudgetSpentError
from partywall.core.large_answers import LargeAnswers, Produced
from partywall.core.spool import SpooledBody
from partywall.core.storage_errors import StorageFullError


async def large_answer(
    answers: LargeAnswers,
    caller: str,
    size: int,
    produce: Callable[[], Awaitable[Produced]],
    *,
    media_type: str = "application/json",
) -> Response:
    """The answer of `produce`, of about `size` bytes, with headers; raises BudgetSpentError."""
    async with AsyncExitStack() as stack:
        file, headers = await stack.enter_async_context(answers.produced(caller, size, produce))
        return _SpooledAnswer(file, headers, stack.pop_all(), media_type)


async def send_large(
    answers: LargeAnswers, caller: str, answer: Response, request: tuple[Scope, Receive, Send]
) -> None:
    """Sends an answer that is already in memory and must not fail: from memory if the disk has no space."""
    async with AsyncExitStack() as stack:
        try:
            file = await stack.enter_async_context(answers.file(caller, len(answer.body), waits=False))
            await file.write(bytes(answer.body))
        except (BudgetSpentError, StorageFullError):
            await Response.__call__(answer, *request)
            return
        answer.body = b""
        await _send_file(file, answer.status_code, answer.raw_headers, request[2])


class _SpooledAnswer(Response):
    """A body from a file, which is closed with the answer."""

    def __init__(self, file: SpooledBody, headers: Mapping[str, str], held: AsyncExitStack, media_type: str) -> None:
        self.status_code = 200
        self.media_type = media_type
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
