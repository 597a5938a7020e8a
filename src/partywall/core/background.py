"""Long-running tasks of a process, restarted when they fail."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable
from contextvars import Context
from types import TracebackType
from typing import Final, Self

import structlog

log = structlog.get_logger(__name__)

RESTART_PAUSE_SECONDS: Final = 1.0


class Background:
    """A task group for long-running tasks: cancels them when it closes, and restarts one that fails."""

    def __init__(self) -> None:
        self._group = asyncio.TaskGroup()
        self._tasks: set[asyncio.Task[None]] = set()

    async def __aenter__(self) -> Self:
        await self._group.__aenter__()
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        for task in self._tasks:
            task.cancel()
        await self._group.__aexit__(kind, error, trace)

    def start(self, name: str, run: Callable[[], Awaitable[None]]) -> None:
        """Starts `run` in an empty context, so that its log lines do not carry a request's fields."""
        task = self._group.create_task(keep(name, run), name=name, context=Context())
        self._tasks.add(task)
        task.add_done_callback(self._tasks.discard)


async def keep(name: str, run: Callable[[], Awaitable[None]]) -> None:
    """Runs until it returns; restarts it after an exception."""
    while True:
        try:
            return await run()
        except Exception:
            log.exception("background_task_failed", task=name)
            await asyncio.sleep(RESTART_PAUSE_SECONDS)
