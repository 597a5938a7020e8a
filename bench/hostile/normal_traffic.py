"""The honest client: reads, writes, searches, runs and streams in its own project, a few requests a second.

Requests start on a fixed schedule, not after the previous answer, so that a stalled server delays many of them.
"""

from __future__ import annotations

import asyncio
import itertools
import time
from collections import Counter
from collections.abc import Awaitable, Callable, Mapping
from dataclasses import dataclass, field
from typing import Any, Final

import httpx2

from bench.hostile.names import HONEST_EMAIL, HONEST_PASSWORD
from bench.readers import Reader
from bench.seed import TEXT

BETWEEN_SECONDS: Final = 0.12
MAX_WAIT_SECONDS: Final = 15.0
KEEP_ALIVE_SECONDS: Final = 3.0  # shorter than the server's, so that no request uses a closing connection
# The longest time from a request to its effects. Runs and indexing wait in a queue.
DUE: Final = {"event": 1.0, "run": 10.0, "index": 30.0}
CAUSED: Final = {"document.created": "event", "document.indexed": "index", "run.succeeded": "run"}
PAGE = f"<html><title>Invoice</title><body><h1>Invoice</h1><p>{' '.join(TEXT.split())}</p></body></html>".encode()


@dataclass(frozen=True, slots=True)
class Sample:
    """One measurement; `wrong` describes an error, if any."""

    name: str
    began: float
    seconds: float
    wrong: str = ""


@dataclass(slots=True)
class Honest:
    port: int
    client: httpx2.AsyncClient
    token: str = ""
    project: str = ""
    document: str = ""
    samples: list[Sample] = field(default_factory=list)
    reader: Reader | None = None
    _pending: set[asyncio.Task[None]] = field(default_factory=set)
    _awaited: dict[tuple[str, str], float] = field(default_factory=dict)
    _seen: dict[tuple[str, str], float] = field(default_factory=dict)
    _count: int = 0

    @property
    def here(self) -> str:
        return f"/api/v1/projects/{self.project}"

    @property
    def streams_opened(self) -> int:
        return 0 if self.reader is None else self.reader.connections

    async def set_up(self) -> None:
        account = {"email": HONEST_EMAIL, "password": HONEST_PASSWORD}
        (await self.client.post("/api/v1/auth/register", json=account)).raise_for_status()
        answer = (await self._log_in()).raise_for_status()
        self.token = answer.json()["access_token"]
        self.client.headers["Authorization"] = f"Bearer {self.token}"
        self.project = (
            (await self.client.post("/api/v1/projects", json={"name": "Honest"})).raise_for_status().json()["id"]
        )
        some = [{"title": f"Document {n}", "content": f"{TEXT} number {n}"} for n in range(100)]
        made = await self.client.post(f"{self.here}/documents/batch", json={"documents": some})
        self.document = made.raise_for_status().json()["items"][0]["id"]

    async def run(self) -> None:
        """Runs until cancelled."""
        self.reader = Reader(self.port, self.project, self.token, seen=self._see)
        async with asyncio.TaskGroup() as group:
            group.create_task(self.reader.run())
            await self.reader.open.wait()
            started = time.monotonic()
            for number in itertools.count():
                await asyncio.sleep(max(0.0, started + number * BETWEEN_SECONDS - time.monotonic()))
                self._begin(number)

    async def settled(self, since: float) -> list[Sample]:
        """The samples since then, after waiting for pending requests."""
        if self._pending:
            await asyncio.wait(set(self._pending))
        self.give_up_waiting()
        return self.between(since, time.monotonic())

    def between(self, since: float, until: float) -> list[Sample]:
        return [sample for sample in self.samples if since <= sample.began < until]

    def _begin(self, number: int) -> None:
        self.give_up_waiting()
        operation = SCHEDULE[number % len(SCHEDULE)]
        if operation is not None:
            task = asyncio.create_task(self._timed(operation))
            self._pending.add(task)
            task.add_done_callback(self._pending.discard)

    async def _timed(self, operation: Operation) -> None:
        began, wrong = time.monotonic(), ""
        try:
            answer = await operation.ask(self)
            if answer.status_code != operation.status:
                wrong = f"{answer.status_code} {answer.text[:200]}"
            elif operation.awaits:
                self._await(operation, answer.json()["id"], began)
        except httpx2.HTTPError as error:
            wrong = repr(error)
        self.samples.append(Sample(operation.name, began, time.monotonic() - began, wrong))

    def _await(self, operation: Operation, subject: str, began: float) -> None:
        for what in operation.awaits:
            seen = self._seen.pop((what, subject), None)
            if seen is None:
                self._awaited[what, subject] = began
            else:  # the event was faster than the answer
                self.samples.append(Sample(what, began, max(0.0, seen - began)))

    def _see(self, event: dict[str, Any]) -> None:
        now = time.monotonic()
        what, subject = CAUSED.get(event["type"]), event["subject"]["id"]
        if what is None:
            return
        began = self._awaited.pop((what, subject), None)
        if began is None:
            self._seen[what, subject] = now
        else:
            self.samples.append(Sample(what, began, now - began))

    def give_up_waiting(self, max_wait: float = MAX_WAIT_SECONDS) -> None:
        """Records effects that are overdue by `max_wait` as failed."""
        now = time.monotonic()
        for (what, subject), began in list(self._awaited.items()):
            if now - began > DUE[what] + max_wait:
                del self._awaited[what, subject]
                self.samples.append(Sample(what, began, now - began, "missing"))

    def awaited(self, until: float) -> Counter[str]:
        """Missing effects of requests that started before `until`, by kind."""
        return Counter(what for (what, _), began in self._awaited.items() if began < until)

    async def _log_in(self) -> httpx2.Response:
        form = {"grant_type": "password", "username": HONEST_EMAIL, "password": HONEST_PASSWORD}
        return await self.client.post("/api/v1/auth/token", data=form)

    async def _get(self, path: str, **parameters: str) -> httpx2.Response:
        return await self.client.get(self.here + path, params=parameters)

    async def _post(self, path: str, body: Mapping[str, object]) -> httpx2.Response:
        self._count += 1
        headers = {"Idempotency-Key": f"honest-{self._count}"}
        return await self.client.post(self.here + path, json=body, headers=headers)

    async def _upload(self) -> httpx2.Response:
        self._count += 1
        headers = {"Idempotency-Key": f"honest-{self._count}"}
        files = {"file": (f"invoice{self._count}.html", PAGE, "text/html")}
        return await self.client.post(f"{self.here}/documents/upload", files=files, headers=headers)

    async def _patch(self) -> httpx2.Response:
        self._count += 1
        return await self.client.patch(f"{self.here}/documents/{self.document}", json={"title": f"Title {self._count}"})

    async def _connect(self) -> httpx2.Response:
        """Uses a new connection."""
        return await self.client.get("/healthz", headers={"Connection": "close"})


@dataclass(frozen=True, slots=True)
class Operation:
    """`awaits` are the effects that the request must cause."""

    name: str
    status: int
    ask: Callable[[Honest], Awaitable[httpx2.Response]]
    awaits: tuple[str, ...] = ()


GET = Operation("get", 200, lambda h: h._get(f"/documents/{h.document}"))
LIST = Operation("list", 200, lambda h: h._get("/documents", limit="50"))
SEARCH = Operation("search", 200, lambda h: h._get("/search", q="invoice payment delivery"))
CREATE = Operation(
    "create", 201, lambda h: h._post("/documents", {"title": "Note", "content": TEXT}), ("event", "index")
)
UPLOAD = Operation("upload", 201, lambda h: h._upload(), ("event", "index"))
PATCH = Operation("patch", 200, lambda h: h._patch())
RUN = Operation("run", 202, lambda h: h._post("/runs", {"agent": "bench", "input": {"task": "Done."}}), ("run",))
LOGIN = Operation("log in", 200, lambda h: h._log_in())
CONNECT = Operation("connect", 200, lambda h: h._connect())
# 40 operations of 0.12 s: one login every 4.8 s is below the limit of attempts per address and minute.
SCHEDULE: Final = (
    *(GET, SEARCH, CREATE, CONNECT, LIST, UPLOAD, SEARCH, PATCH, GET, RUN),
    *(LIST, SEARCH, CREATE, GET, CONNECT, UPLOAD, LIST, SEARCH, PATCH, LOGIN),
    *(GET, SEARCH, CREATE, CONNECT, LIST, UPLOAD, SEARCH, GET, PATCH, RUN),
    *(LIST, SEARCH, GET, CREATE, CONNECT, UPLOAD, LIST, SEARCH, PATCH, GET),
)
