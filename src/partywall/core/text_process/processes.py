"""Costly work on texts, each in a process of its own: a thread cannot be stopped, nor can its memory be limited.

A process serves one text, so nothing of one project's text is left when another's is read.
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
"""A function of a module that imports little. It runs in the process, and is given there by its name."""

LARGEST_ANSWER: Final = 32 * 1024 * 1024
WAITING_EACH: Final = 8
# How much longer the work may take than its time of a processor: others use the processors too.
_MAX_WAIT: Final = 6
# What a text may take beside a second for each megabyte. What people write takes a tenth to a half of that.
_ANY_SECONDS: Final = 1
_MEGABYTE: Final = 1024 * 1024
# An account whose text was given up waits behind the others for some minutes.
GIVEN_UP_SECONDS: Final = 30.0
_PIECE: Final = 256 * 1024
# One arena: with more, memory that is not used counts against the limit.
_ENVIRONMENT: Final = {"MALLOC_ARENA_MAX": "1"}


class TextTooCostlyError(PartywallError):
    """The detail is shown to people."""

    status = 422
    code = "text_too_costly"
    title = "Reading the text takes too much time or memory"


class TextProcessBusyError(UnavailableError):
    """The text did not use up its time of a processor: others had them."""

    code = "text_process_busy"
    title = "Reading the text took too long here"

    def __init__(self) -> None:
        super().__init__("This machine is too busy to read the text; try again later.", headers={"Retry-After": "30"})


@dataclass(frozen=True, slots=True)
class TextLimits:
    """`at_once` processes in all, of one account at most a third; for each its time of a processor and its memory.

    A text may take as much of the time as its size explains, and never more than `cpu_seconds`.
    """

    at_once: int
    cpu_seconds: int
    memory: int

    @property
    def max_wait(self) -> float:
        """How long a text waits for its turn: longer than those that are being read may take."""
        return MAX_WAIT_SECONDS + 2 * self.cpu_seconds

    def seconds_for(self, size: int) -> int:
        return min(self.cpu_seconds, _ANY_SECONDS + math.ceil(size / _MEGABYTE))


class TextProcesses:
    """Whoever has had them for long of late waits behind the others, and all such have half of them together."""

    def __init__(self, limits: TextLimits) -> None:
        self._limits = limits
        self.max_wait = limits.max_wait
        self.use = RecentUse()
        self.turns = TenantSemaphore(
            limits.at_once, each=max(1, limits.at_once // 3), waiting=WAITING_EACH, max_wait=limits.max_wait,
            background_waits=True, use=self.use,
        )  # fmt: skip

    async def run(self, work: Work, text: bytes | AsyncIterator[bytes], size: int) -> bytes:
        """What `work` answers to the text of so many bytes, which may come in pieces; what they raise is raised.

        Raises TextTooCostlyError, TextProcessBusyError, and TooMuchAtOnceError where the tenant's queue is full, or
        somebody has waited long for an answer. A wait that is cancelled ends the process.
        """
        tenant, seconds = current_tenant(), self._limits.seconds_for(size)
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
        """The time for which others cannot have the process counts, in place of what it may take."""
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

    def _failed(self, work: Work, code: int, seconds: int) -> TextTooCostlyError:
        log.warning("text_process_failed", work=work.__qualname__, code=code)
        if code in (-signal.SIGXCPU, -signal.SIGKILL):
            return TextTooCostlyError(f"This text takes more than {seconds} seconds to read.")
        if code == child.OUT_OF_MEMORY:
            megabytes = self._limits.memory // _MEGABYTE
            return TextTooCostlyError(f"This text takes more than {megabytes} MB of memory to read.")
        return TextTooCostlyError("This text cannot be read: the process that reads it has ended.")


async def _send(process: Process, text: bytes | AsyncIterator[bytes]) -> None:
    """A process that has ended does not read; its exit code says why."""
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
            raise TextTooCostlyError(f"What is read of this text has more than {LARGEST_ANSWER} bytes.")
    return bytes(answer)


async def _end(process: Process) -> None:
    """Also where nobody waits any more: no process is left behind."""
    with contextlib.suppress(ProcessLookupError):
        process.kill()
    await asyncio.shield(process.wait())
