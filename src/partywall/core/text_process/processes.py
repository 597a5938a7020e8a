"""Costly work on texts in separate processes: a thread cannot be stopped, and its memory cannot be limited.

A process serves one text, so nothing of it is left when another project's text is read.
"""

from __future__ import annotations

import asyncio
import contextlib
import math
import signal
import sys
import time
from asyncio.subprocess import DEVNULL, PIPE, Process
from collections.abc import AsyncIterator, Callable, Iterator
from dataclasses import dataclass
from typing import Final

import structlog

from partywall.core.errors import PartywallError, UnavailableError
from partywall.core.recent_use import RecentUse
from partywall.core.tenant import Tenant, current_tenant
from partywall.core.tenant_semaphore import MAX_WAIT_SECONDS, TenantSemaphore
from partywall.core.text_process import child

log = structlog.get_logger(__name__)

type Work = Callable[[bytes], bytes]
"""A function of a module that imports little. It is passed to the process by name."""

LARGEST_ANSWER: Final = 32 * 1024 * 1024
WAITING_EACH: Final = 8
# Limit on elapsed time, as a multiple of CPU time: other work uses the processors too.
_MAX_WAIT: Final = 6
# CPU seconds for any text, besides one per megabyte. Ordinary texts take a tenth to a half of that.
_ANY_SECONDS: Final = 1
_MEGABYTE: Final = 1024 * 1024
# Counted as use when a text is given up, so that its account waits behind the others for some minutes.
GIVEN_UP_SECONDS: Final = 30.0
_PIECE: Final = 256 * 1024
# With more than one arena, unused memory would count against the limit.
_ENVIRONMENT: Final = {"MALLOC_ARENA_MAX": "1"}


class TextTooCostlyError(PartywallError):
    """Reading the text exceeds a limit. The detail is shown to users."""

    status = 422
    code = "text_too_costly"
    title = "Reading the text takes too much time or memory"


class TextProcessFailedError(TextTooCostlyError):
    """The process ended by itself: the work crashed in it."""


class TextProcessBusyError(UnavailableError):
    """The work timed out before it used up its CPU time, because the machine is busy; or its process was killed."""

    code = "text_process_busy"
    title = "Reading the text took too long"

    def __init__(self) -> None:
        super().__init__("This machine is too busy to read the text; try again later.", headers={"Retry-After": "30"})


@dataclass(frozen=True, slots=True)
class TextLimits:
    """`at_once` processes in all, at most a third for one account; CPU seconds and bytes of memory for each.

    A text gets CPU time in proportion to its size, at most `cpu_seconds`.
    """

    at_once: int
    cpu_seconds: int
    memory: int

    @property
    def max_wait(self) -> float:
        """How long a text waits for a process: longer than the texts being read may take."""
        return MAX_WAIT_SECONDS + 2 * self.cpu_seconds

    def seconds_for(self, size: int) -> int:
        return min(self.cpu_seconds, _ANY_SECONDS + math.ceil(size / _MEGABYTE))


class TextProcesses:
    """Accounts with much recent use wait behind the others, and share half of the processes."""

    def __init__(self, limits: TextLimits) -> None:
        self._limits = limits
        self.max_wait = limits.max_wait
        self.use = RecentUse()
        self.turns = TenantSemaphore(
            limits.at_once, each=max(1, limits.at_once // 3), waiting=WAITING_EACH, max_wait=limits.max_wait,
            background_waits=True, use=self.use,
        )  # fmt: skip

    async def run(self, work: Work, text: bytes | AsyncIterator[bytes], size: int, seconds: int | None = None) -> bytes:
        """Runs `work` on a text of `size` bytes, which may come in pieces, and returns its answer.

        It gets CPU time by its size, or else these `seconds`.

        Raises TextTooCostlyError, TextProcessBusyError, what `text` raises, and TooMuchAtOnceError or SharedOutError
        if the queue is full or, except for background work, the wait is too long. Cancellation ends the process.
        """
        tenant, seconds = current_tenant(), seconds or self._limits.seconds_for(size)
        self.use.add(tenant.name, seconds)
        try:
            await self.turns.acquire(tenant)
        except BaseException:
            self.use.add(tenant.name, -seconds)
            raise
        try:
            with self._noted(tenant, seconds):
                return await self._run(work, text, seconds)
        finally:
            self.turns.release(tenant)

    @contextlib.contextmanager
    def _noted(self, tenant: Tenant, expected: int) -> Iterator[None]:
        """Counts the time that the process was occupied as use, instead of the `expected` time."""
        began = time.monotonic()
        try:
            yield
        except TextTooCostlyError:
            self.use.add(tenant.name, GIVEN_UP_SECONDS)
            raise
        finally:
            self.use.add(tenant.name, time.monotonic() - began - expected)

    async def _run(self, work: Work, text: bytes | AsyncIterator[bytes], seconds: int) -> bytes:
        process = await asyncio.create_subprocess_exec(
            sys.executable, "-I", "-m", child.__name__, work.__module__, work.__qualname__, str(seconds),
            str(self._limits.memory), stdin=PIPE, stdout=PIPE, stderr=DEVNULL, env=_ENVIRONMENT,
        )  # fmt: skip
        try:
            async with asyncio.timeout(seconds * _MAX_WAIT):
                await _send(process, text)
                answer = await _receive(process)
                code = await process.wait()
        except TimeoutError as error:
            raise TextProcessBusyError from error
        finally:
            await _end(process)
        if code:
            raise self._failed(work, code, seconds)
        return answer

    def _failed(self, work: Work, code: int, seconds: int) -> TextTooCostlyError | TextProcessBusyError:
        log.warning("text_process_failed", work=work.__qualname__, code=code)
        if code == -signal.SIGKILL:  # not by a limit: the system ran out of memory, or a person ended it
            return TextProcessBusyError()
        if code == -signal.SIGXCPU:
            return TextTooCostlyError(f"This text takes more than {seconds} seconds of CPU time to read.")
        if code in (child.OUT_OF_MEMORY, -signal.SIGABRT):  # libraries that are not in Python abort
            megabytes = self._limits.memory // _MEGABYTE
            return TextTooCostlyError(f"This text takes more than {megabytes} MB of memory to read.")
        return TextProcessFailedError("This text cannot be read: the process that reads it failed.")


async def _send(process: Process, text: bytes | AsyncIterator[bytes]) -> None:
    """Ignores errors from a process that has ended: its exit code says why."""
    assert process.stdin is not None
    with contextlib.suppress(ConnectionError):
        async for piece in _one(text) if isinstance(text, bytes) else text:
            process.stdin.write(piece)
            await process.stdin.drain()
        process.stdin.close()
        await process.stdin.wait_closed()


async def _one(text: bytes) -> AsyncIterator[bytes]:
    yield text


async def _receive(process: Process) -> bytes:
    assert process.stdout is not None
    answer = bytearray()
    while piece := await process.stdout.read(_PIECE):
        answer += piece
        if len(answer) > LARGEST_ANSWER:
            raise TextTooCostlyError(f"The result for this text has more than {LARGEST_ANSWER} bytes.")
    return bytes(answer)


async def _end(process: Process) -> None:
    """Kills the process if it still runs, so that none is left behind."""
    with contextlib.suppress(ProcessLookupError):
        process.kill()
    await asyncio.shield(process.wait())
