from __future__ import annotations

import asyncio
import signal
from abc import ABC, abstractmethod
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from subprocess import Popen
from types import TracebackType
from typing import IO, ClassVar, Self

from partywall.adapters.embedded import process
from partywall.adapters.embedded.home import Home, open_home
from partywall.adapters.embedded.lock import DirectoryLock
from partywall.adapters.embedded.runtime import RuntimeDirectory


@dataclass(eq=False)
class EmbeddedEngine(ABC):
    """A server with its data in a data directory, which ends with this process. Start it on the main thread.

    Started as root, it runs as the system user `partywall`. If that user cannot reach `data_dir`, the files are in
    /var/lib/partywall (`home.directory`; `remove()` deletes them).
    """

    name: ClassVar[str]
    stop_steps: ClassVar[Sequence[tuple[signal.Signals, float]]]
    death_signal: ClassVar[signal.Signals]
    sockets: ClassVar[str]

    data_dir: Path
    report: Callable[[str], None] = field(default=lambda _line: None, kw_only=True)
    _home: Home | None = field(default=None, init=False)
    _lock: DirectoryLock | None = field(default=None, init=False)
    _runtime: RuntimeDirectory | None = field(default=None, init=False)
    _process: Popen[bytes] | None = field(default=None, init=False)

    async def __aenter__(self) -> Self:
        await self.start()
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        await self.stop()

    async def prepare(self) -> None:
        """Lock the directory and fix the URLs without starting anything. Raises DirectoryHeld."""
        if self._lock is not None:
            return
        self._home = await asyncio.to_thread(open_home, self.data_dir)
        lock = DirectoryLock(self._home.directory, self.name)
        lock.acquire()
        runtime = RuntimeDirectory(self._home.runtime, self._home.account)
        try:
            await asyncio.to_thread(runtime.open)
        except BaseException:
            lock.release()
            raise
        self._lock, self._runtime = lock, runtime

    async def start(self) -> None:
        """End what a killed run has left, start the server and wait until it answers. Raises EngineError."""
        await self.prepare()
        try:
            await self._start()
        except BaseException:
            await self.stop()
            raise

    async def stop(self) -> None:
        """Shut down in order, remove the sockets and unlock the directory."""
        if self._process is not None:
            await process.stop(self._process, self.stop_steps)
            self._process = None
        if self._runtime is not None:
            await asyncio.to_thread(self._runtime.close, self.sockets)
            self._runtime = None
        if self._lock is not None:
            self._lock.release()
            self._lock = None

    async def exited(self) -> int:
        """Wait until the server has ended, for any reason; returns its exit code."""
        if self._process is None:
            raise RuntimeError(f"{self.name} was not started")
        return await process.exited(self._process)

    def remove(self) -> None:
        """Delete all data. Only call it when stopped."""
        if self._home is not None:
            self._home.remove()

    @property
    def home(self) -> Home:
        if self._home is None:
            raise RuntimeError(f"{self.name} was not prepared")
        return self._home

    @property
    def pid(self) -> int | None:
        return None if self._process is None else self._process.pid

    @abstractmethod
    async def _start(self) -> None: ...

    def _spawn(self, command: Sequence[str], output: IO[bytes], stdin: bytes | None = None) -> Popen[bytes]:
        self._process = process.spawn(
            command,
            account=self.home.account,
            death_signal=self.death_signal,
            output=output,
            stdin=stdin,
            directory=Path("/"),
        )
        return self._process
