"""Finds slow calls made while the task holds a database connection.

It watches the tests' application as long as it runs, so every test that calls a route or runs a job is covered.
"""

from __future__ import annotations

import asyncio
import traceback
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from types import ModuleType

import anyio.to_process
import anyio.to_thread
import httpx2
import pytest
from redis.asyncio.connection import AbstractConnection
from sqlalchemy import event
from sqlalchemy.ext.asyncio import AsyncEngine

from partywall.core.outgoing.resolver import Resolver

SLOW: tuple[tuple[ModuleType | type, str], ...] = (
    (asyncio, "to_thread"),
    (asyncio, "create_subprocess_exec"),
    (anyio.to_thread, "run_sync"),
    (anyio.to_process, "run_sync"),
    (AbstractConnection, "send_packed_command"),
    (httpx2.AsyncHTTPTransport, "handle_async_request"),
    (Resolver, "__call__"),
)


class Held:
    """Which task holds which connections, and the slow calls that it made meanwhile."""

    def __init__(self) -> None:
        self._holders: dict[object, asyncio.Task[object] | None] = {}
        self.found: list[str] = []

    def take(self) -> list[str]:
        found, self.found = self.found, []
        return found

    @contextmanager
    def watch(self, engine: AsyncEngine) -> Iterator[None]:
        event.listen(engine.sync_engine, "checkout", self._taken)
        event.listen(engine.sync_engine, "checkin", self._given_back)
        with pytest.MonkeyPatch.context() as patch:
            for owner, name in SLOW:
                patch.setattr(owner, name, self._asking(f"{owner.__name__}.{name}", getattr(owner, name)))
            yield
        event.remove(engine.sync_engine, "checkout", self._taken)
        event.remove(engine.sync_engine, "checkin", self._given_back)

    def _taken(self, _: object, record: object, __: object) -> None:
        self._ask("another connection")
        self._holders[record] = _current()

    def _given_back(self, _: object, record: object) -> None:
        self._holders.pop(record, None)

    def _asking[**P, R](self, name: str, work: Callable[P, R]) -> Callable[P, R]:
        def begin(*args: P.args, **kwargs: P.kwargs) -> R:
            self._ask(name)
            return work(*args, **kwargs)

        return begin

    def _ask(self, name: str) -> None:
        task = _current()
        if task is not None and task in self._holders.values():
            ours = [frame for frame in traceback.extract_stack() if "/partywall/" in frame.filename]
            where = " < ".join(f"{Path(frame.filename).name}:{frame.lineno}" for frame in reversed(ours[-6:]))
            self.found.append(f"{name} while a connection is held: {where}")


def _current() -> asyncio.Task[object] | None:
    try:
        return asyncio.current_task()
    except RuntimeError:
        return None


HELD = Held()
