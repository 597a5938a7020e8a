"""Contains SystemExit and similar exceptions of an agent's code: they fail its run, not the worker."""

from __future__ import annotations

import asyncio
from collections.abc import Coroutine, Generator, Iterator
from contextlib import contextmanager
from contextvars import Context, ContextVar
from types import TracebackType
from typing import Final, TypedDict, Unpack

_AT_WORK: Final[ContextVar[bool]] = ContextVar("partywall_agent_at_work", default=False)


class AgentCodeError(Exception):
    """The agent's code raised an unexpected exception, which is the cause."""


def is_from_outside(error: BaseException) -> bool:
    """Whether the task was cancelled or closed from outside; an agent's code can raise the same exceptions itself."""
    if not isinstance(error, asyncio.CancelledError | GeneratorExit):
        return False
    task = _current_task()
    if isinstance(error, GeneratorExit):
        return task is None
    return task is not None and task.cancelling() > 0


@contextmanager
def exit_guarded() -> Iterator[None]:
    """Raises AgentCodeError for SystemExit and the like. Subclasses of Exception pass unchanged."""
    try:
        yield
    except Exception:
        raise
    except BaseException as error:
        if is_from_outside(error):
            raise
        raise AgentCodeError from error


@contextmanager
def running_agent() -> Iterator[None]:
    """Like `exit_guarded`, also for tasks started inside: SystemExit in a task would stop the event loop."""
    loop = asyncio.get_running_loop()
    if loop.get_task_factory() is None:
        loop.set_task_factory(_task)
    token = _AT_WORK.set(True)
    try:
        with exit_guarded():
            yield
    finally:
        _AT_WORK.reset(token)


class _Options(TypedDict, total=False):
    name: str | None
    context: Context | None
    eager_start: bool


def _task[T](
    loop: asyncio.AbstractEventLoop,
    coro: Coroutine[object, object, T] | Generator[object, None, T],
    **options: Unpack[_Options],
) -> asyncio.Task[T]:
    if not isinstance(coro, Coroutine):
        raise TypeError(f"a coroutine was expected, got {coro!r}")
    return asyncio.Task(_Contained(coro) if _AT_WORK.get() else coro, loop=loop, **options)


class _Contained[T](Coroutine[object, object, T]):
    """Delegates to a coroutine. A plain `async def` wrapper would never start it if its task is cancelled at once."""

    def __init__(self, inner: Coroutine[object, object, T]) -> None:
        self._inner = inner

    def send(self, value: object) -> object:
        with exit_guarded():
            return self._inner.send(value)

    def throw(
        self, error: type[BaseException] | BaseException, value: object = None, trace: TracebackType | None = None, /
    ) -> object:
        thrown = value if isinstance(value, BaseException) else error
        thrown = thrown if isinstance(thrown, BaseException) else thrown()
        with exit_guarded():
            return self._inner.throw(thrown if trace is None else thrown.with_traceback(trace))

    def close(self) -> None:
        self._inner.close()

    def __await__(self) -> Generator[object, object, T]:
        return self._inner.__await__()


def _current_task() -> asyncio.Task[object] | None:
    try:
        return asyncio.current_task()
    except RuntimeError:
        return None
