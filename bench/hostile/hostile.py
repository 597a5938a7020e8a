"""The tools of an attack: its own addresses and accounts, and ways to send until its time is over."""

from __future__ import annotations

import asyncio
import itertools
import json
import time
from collections import Counter
from collections.abc import Iterable, Iterator
from contextlib import suppress
from dataclasses import dataclass, field
from typing import cast
from urllib.parse import urlencode

from bench.hostile.wire import ClosedError, Connection, multipart, request

type Json = dict[str, object]

API = "/api/v1"
PASSWORD = "a password of a hostile account"
SETUP_SECONDS = 20.0
CONNECT_SECONDS = 3.0
HOSTS = 250


class NotSetUpError(Exception):
    """The attack's preparation failed, so its result is meaningless."""


@dataclass(slots=True)
class Hostile:
    """`network` is a /24 of loopback, so that each attack has its own addresses."""

    port: int
    network: str
    seconds: float
    name: str
    counts: Counter[str] = field(default_factory=Counter)
    started: float = 0.0
    token: str = ""
    project: str = ""

    @property
    def left(self) -> float:
        return max(0.0, self.started + self.seconds - time.monotonic())

    @property
    def here(self) -> str:
        """The path of the attack's project."""
        return f"{API}/projects/{self.project}"

    def begin(self) -> None:
        """Starts the attack's time, after its preparation."""
        self.started = time.monotonic()

    # Preparation

    async def call(
        self, method: str, path: str, body: object = None, *, token: str | None = None, host: int = 1
    ) -> Json:
        """A well-formed request that must succeed. Raises NotSetUpError."""
        return await self.fetch(request(method, path, token=token or self.token or None, body=body), host=host)

    async def fetch(self, data: bytes, *, host: int = 1) -> Json:
        try:
            async with asyncio.timeout(SETUP_SECONDS):
                connection = await Connection.open(self.port, self.source(host))
                try:
                    answer = await connection.ask(data, keep=True)
                finally:
                    connection.close()
        except (TimeoutError, OSError, ClosedError) as error:
            raise NotSetUpError(f"{data[:60]!r}: {error!r}") from error
        if answer.status >= 300:
            raise NotSetUpError(f"{data[:60]!r}: {answer.status} {answer.body[:300]!r}")
        return cast("Json", json.loads(answer.body or b"{}"))

    async def sign_up(self, name: str = "", *, host: int = 1) -> str:
        """The access token of a new account."""
        email = f"{name or self.name}@hostile.example"
        await self.call("POST", f"{API}/auth/register", {"email": email, "password": PASSWORD}, host=host)
        form = urlencode({"grant_type": "password", "username": email, "password": PASSWORD}).encode()
        headers = {"Content-Type": "application/x-www-form-urlencoded"}
        data = request("POST", f"{API}/auth/token", body=form, headers=headers)
        return str((await self.fetch(data, host=host))["access_token"])

    async def set_up(self) -> None:
        """Creates an account and a project and sets `token` and `project`."""
        self.token = await self.sign_up()
        self.project = await self.new_project()

    async def new_project(self, name: str = "Hostile") -> str:
        return str((await self.call("POST", f"{API}/projects", {"name": name}))["id"])

    async def new_document(self, content: str = "Something.", title: str = "Hostile") -> str:
        made = await self.call("POST", f"{self.here}/documents", {"title": title, "content": content})
        return str(made["id"])

    # Requests

    def ask(self, method: str, path: str, body: object = None, **headers: str) -> bytes:
        """A request with the account's token; underscores in header names become hyphens."""
        given = {name.replace("_", "-"): value for name, value in headers.items()}
        return request(method, path, token=self.token or None, body=body, headers=given)

    def upload(self, content: bytes, *, name: str = "a.html", key: str = "") -> bytes:
        headers = {"Idempotency-Key": key} if key else None
        return multipart(f"{self.here}/documents/upload", self.token, content, name=name, headers=headers)

    def source(self, host: int) -> str:
        """The source address of a host: the first 250 are in `network`, each higher one in another network."""
        if host < HOSTS:
            return f"{self.network}.{host + 1}"
        return f"127.{70 + host // HOSTS}.{host % HOSTS}.{self.network.rpartition('.')[2]}"

    # Ways to send

    async def flood(
        self,
        requests: Iterable[bytes],
        *,
        connections: int = 4,
        most: int = 20_000,
        addresses: int = 1,
        first_address: int = 0,
    ) -> None:
        """One request in flight per connection, from `addresses`, until the time is over or `most` are sent."""
        upcoming = itertools.islice(requests, most)
        lines = (self._line(upcoming, first_address + number % addresses) for number in range(connections))
        await asyncio.gather(*lines)

    async def _line(self, upcoming: Iterator[bytes], host: int) -> None:
        connection: Connection | None = None
        try:
            while self.left > 0 and (data := next(upcoming, None)) is not None:
                if connection is None:
                    connection = await self.connect(host)
                if connection is None or await self.exchange(connection, data):
                    connection = None
        finally:
            if connection is not None:
                connection.close()

    async def connect(self, host: int, receive_buffer: int | None = None) -> Connection | None:
        try:
            async with asyncio.timeout(min(CONNECT_SECONDS, self.left + 0.1)):
                return await Connection.open(self.port, self.source(host), receive_buffer=receive_buffer)
        except (OSError, TimeoutError):
            self.counts["no connection"] += 1
            await asyncio.sleep(0.05)
            return None

    async def exchange(self, connection: Connection, data: bytes) -> bool:
        """Sends, counts the answer, and returns whether the connection is closed."""
        try:
            async with asyncio.timeout(self.left + 0.05):
                answer = await connection.ask(data)
        except TimeoutError:
            self.counts["no answer"] += 1
        except ClosedError:
            self.counts["closed"] += 1
        else:
            self.counts[str(answer.status)] += 1
            if not answer.closing:
                return False
        connection.close()
        return True

    async def hold(
        self,
        count: int,
        opening: bytes,
        *,
        drip: bytes = b"",
        every: float = 0.5,
        addresses: int = 1,
        within: float = 0.0,
    ) -> None:
        """Opens `count` connections `within` that time; each sends `opening`, then `drip` repeatedly.

        Counts connections that are open at the end as `held`.
        """
        pauses = (within * number / count for number in range(count))
        held = (self._held(pause, n % addresses, opening, drip, every) for n, pause in enumerate(pauses))
        await asyncio.gather(*held)

    async def _held(self, pause: float, host: int, opening: bytes, drip: bytes, every: float) -> None:
        await asyncio.sleep(pause)
        connection = await self.connect(host)
        if connection is None:
            return
        dripping = asyncio.create_task(_drip(connection, opening, drip, every))
        try:
            async with asyncio.timeout(self.left):
                status, _ = await connection.read_head()
                self.counts[str(status)] += 1
                while await connection.reader.read(65536):
                    pass
                self.counts["closed after"] += 1
        except TimeoutError:
            self.counts["held"] += 1
        except (OSError, asyncio.IncompleteReadError, asyncio.LimitOverrunError, ValueError):
            self.counts["closed"] += 1
        finally:
            dripping.cancel()
            connection.close()

    async def read_slowly(self, count: int, data: bytes, *, piece: int = 512, every: float = 0.5) -> None:
        await asyncio.gather(*(self._slow_reader(data, piece, every) for _ in range(count)))

    async def _slow_reader(self, data: bytes, piece: int, every: float) -> None:
        connection = await self.connect(0, receive_buffer=4096)
        if connection is None:
            return
        try:
            async with asyncio.timeout(self.left):
                await connection.send(data)
                first = await connection.reader.read(piece)
                self.counts[first[9:12].decode("latin-1") or "closed"] += 1
                while first:
                    await asyncio.sleep(every)
                    first = await connection.reader.read(piece)
        except TimeoutError:
            pass
        except OSError:
            self.counts["closed"] += 1
        finally:
            connection.close()

    async def wait(self) -> None:
        """Waits for the rest of the time, while the server processes the requests."""
        await asyncio.sleep(self.left)


async def _drip(connection: Connection, opening: bytes, drip: bytes, every: float) -> None:
    with suppress(OSError):
        await connection.send(opening)
        while drip:
            await asyncio.sleep(every)
            await connection.send(drip)
