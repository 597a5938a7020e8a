"""Responses as raw bytes."""

from __future__ import annotations

import asyncio
import json
from collections.abc import Iterable
from dataclasses import dataclass
from typing import Final
from uuid import UUID

from tests.features.live.server import Serving
from tests.features.live.wire import Wire, wired

PROJECTS: Final = "/api/v1/projects"


@dataclass(frozen=True, slots=True)
class Answer:
    status: int
    headers: dict[str, str]
    body: bytes

    @property
    def code(self) -> str:
        assert self.headers["content-type"] == "application/problem+json"
        problem = json.loads(self.body)
        assert problem["status"] == self.status
        assert problem["request_id"] == self.headers["x-request-id"]
        return str(problem["code"])


async def answer_on(wire: Wire) -> Answer:
    head = (await wire.until(b"\r\n\r\n")).decode().split("\r\n")
    headers = {name.lower(): value.strip() for name, _, value in (line.partition(":") for line in head[1:] if line)}
    length = int(headers.get("content-length", "0"))
    async with asyncio.timeout(60):
        body = await wire.reader.readexactly(length)
    return Answer(int(head[0].split()[1]), headers, body)


def head(method: str, path: str, *lines: str) -> bytes:
    return "\r\n".join([f"{method} {path} HTTP/1.1", "Host: here", *lines, "", ""]).encode()


def bearer(token: str) -> str:
    return f"Authorization: Bearer {token}"


async def ask(serving: Serving, *parts: bytes) -> Answer:
    async with wired(serving) as wire:
        for part in parts:
            wire.send(part)
        return await answer_on(wire)


def documents(project: UUID | str) -> str:
    return f"{PROJECTS}/{project}/documents"


def chunked(pieces: Iterable[bytes]) -> bytes:
    return b"".join(b"%x\r\n%b\r\n" % (len(piece), piece) for piece in pieces)


HEALTH = head("GET", "/healthz")
