"""Event stream clients that reconnect with `Last-Event-ID` and check every event."""

from __future__ import annotations

import asyncio
import os
import random
import shutil
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any
from urllib.parse import quote

import orjson

READ_BYTES = 256 * 1024
RETRY_SECONDS = (0.05, 0.5)
INSTALL_SECONDS = 60.0

type Seen = Callable[[dict[str, Any]], None]


@dataclass(slots=True)
class Ledger:
    """What one reader has received from a project. `digest` covers numbers and subjects, to compare with the table."""

    last: int = 0
    received: int = 0
    digest: int = 0
    lost: int = 0
    repeated: int = 0
    other: dict[str, int] = field(default_factory=dict)

    def enter(self, type_: str, number: int, subject: str) -> None:
        if type_ in ("reset", "reconnect"):
            moved = number != self.last
            name = f"{type_} elsewhere" if moved else type_
            self.other[name] = self.other.get(name, 0) + 1
        elif number == self.last + 1:
            self.received += 1
            self.digest = hash((self.digest, number, subject))
        elif number <= self.last:
            self.repeated += 1
        else:
            self.lost += number - self.last - 1
        self.last = number


@dataclass(slots=True)
class Reader:
    """Follows a project forever; `drop` aborts the connection. `seen` is called with each event's data."""

    port: int
    project: str
    token: str
    ledger: Ledger = field(default_factory=Ledger)
    seen: Seen | None = None
    connections: int = 0
    refused: int = 0
    open: asyncio.Event = field(default_factory=asyncio.Event)
    _writer: asyncio.StreamWriter | None = None

    def drop(self) -> bool:
        if self._writer is None:
            return False
        self._writer.transport.abort()
        return True

    async def run(self) -> None:
        while True:
            try:
                await self._follow()
            except (OSError, asyncio.IncompleteReadError):
                pass
            finally:
                self._leave()
            await asyncio.sleep(random.uniform(*RETRY_SECONDS))

    def _leave(self) -> None:
        self.open.clear()
        if self._writer is not None:
            self._writer.transport.abort()
            self._writer = None

    async def _follow(self) -> None:
        reader, self._writer = await asyncio.open_connection("127.0.0.1", self.port)
        self._writer.write(
            f"GET /api/v1/projects/{self.project}/events HTTP/1.1\r\nHost: bench\r\n"
            f"Authorization: Bearer {self.token}\r\nLast-Event-ID: {self.ledger.last}\r\n\r\n".encode()
        )
        head = await reader.readuntil(b"\r\n\r\n")
        if not head.startswith(b"HTTP/1.1 200 "):
            self.refused += 1
            return
        self.connections += 1
        self.open.set()
        rest = b""
        while data := await reader.read(READ_BYTES):
            rest = self._read(rest + data)

    def _read(self, data: bytes) -> bytes:
        """Records every complete event and returns the rest.

        An event has a line each for id, type and data, and an empty one. Lines that end with a carriage return belong
        to the chunked encoding: the server's chunks end at line ends.
        """
        *lines, rest = data.split(b"\n")
        whole = 0
        number, type_ = 0, ""
        for index, line in enumerate(lines):
            if line.startswith(b"id: "):
                number = int(line[4:])
            elif line.startswith(b"event: "):
                type_ = line[7:].decode()
            elif line.startswith(b"data: "):
                body = orjson.loads(line[6:])
                self.ledger.enter(type_, number, body["subject"]["id"])
                if self.seen is not None:
                    self.seen(body)
                whole = index + 1
        return b"\n".join([*lines[whole:], rest])


@dataclass(slots=True)
class NpmReader:
    """npm's `eventsource` in a Node process."""

    ledger: Ledger = field(default_factory=Ledger)
    closed: str = ""

    async def run(self, folder: Path, port: int, project: str, token: str) -> None:
        script = folder / "eventsource.mjs"
        shutil.copyfile(Path(__file__).with_name("eventsource.mjs"), script)
        stream = f"http://127.0.0.1:{port}/api/v1/projects/{quote(project)}/events?after=0"
        process = await asyncio.create_subprocess_exec(
            "node", str(script), stdout=asyncio.subprocess.PIPE,
            env={**os.environ, "STREAM": stream, "TOKEN": token},
        )  # fmt: skip
        assert process.stdout is not None
        try:
            async for line in process.stdout:
                type_, number, *subject = line.decode().split()
                if type_ == "closed":
                    self.closed = line.decode().strip()
                    return
                self.ledger.enter(type_, int(number), subject[0])
        finally:
            if process.returncode is None:
                process.kill()
            await process.wait()


async def npm_folder(given: Path | None, scratch: Path) -> Path | str:
    """The folder where `eventsource` is installed, or the reason why it is not available."""
    if shutil.which("node") is None:
        return "node is not on PATH"
    if given is not None:
        installed = given / "node_modules" / "eventsource"
        return given if await asyncio.to_thread(installed.is_dir) else f"{given} does not contain eventsource"
    if shutil.which("npm") is None:
        return "npm is not on PATH: give a folder with --eventsource"
    folder = scratch / "npm"
    folder.mkdir()
    command = ("npm", "install", "--no-audit", "--no-fund", "--silent", "--prefix", str(folder), "eventsource@4")
    process = await asyncio.create_subprocess_exec(*command, cwd=folder, stderr=asyncio.subprocess.DEVNULL)
    try:
        async with asyncio.timeout(INSTALL_SECONDS):
            failed = await process.wait()
    except TimeoutError:
        process.kill()
        failed = await process.wait()
    return "npm could not install eventsource: give a folder with --eventsource" if failed else folder
