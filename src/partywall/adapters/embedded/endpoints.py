from __future__ import annotations

import dataclasses
import json
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Self

from partywall.adapters.embedded.errors import DirectoryHeld, EngineError
from partywall.adapters.embedded.home import write_private
from partywall.adapters.embedded.lock import DirectoryLock
from partywall.adapters.embedded.postgres import EmbeddedPostgres
from partywall.adapters.embedded.valkey import EmbeddedValkey

SERVE_LOCK = "serve"


@dataclass(frozen=True, slots=True)
class Endpoints:
    """URLs, with passwords, of the engines of a data directory."""

    runtime_url: str
    direct_url: str
    owner_url: str
    cache_url: str

    @classmethod
    def of(cls, postgres: EmbeddedPostgres, valkey: EmbeddedValkey) -> Self:
        return cls(postgres.runtime_url, postgres.direct_url, postgres.owner_url, valkey.url)

    def write(self, data_dir: Path) -> None:
        draft = _path(data_dir).with_suffix(".draft")
        write_private(draft, json.dumps(dataclasses.asdict(self)))
        draft.replace(_path(data_dir))


def running_endpoints(data_dir: Path) -> Endpoints | None:
    """Endpoints of the `partywall serve` on `data_dir`; None if none runs. Raises EngineError while it starts."""
    if not data_dir.is_dir():
        return None
    lock = DirectoryLock(data_dir.resolve(), SERVE_LOCK)
    try:
        lock.acquire()
    except DirectoryHeld as held:
        try:
            return Endpoints(**json.loads(_path(data_dir).read_text()))
        except FileNotFoundError as error:
            raise EngineError(f"{held.directory} is still starting (process {held.pid}): try again") from error
    lock.release()
    return None


@asynccontextmanager
async def embedded_engines(data_dir: Path) -> AsyncIterator[Endpoints]:
    """The running engines of `data_dir`, or engines started for the duration of the block."""
    endpoints = running_endpoints(data_dir)
    if endpoints is not None:
        yield endpoints
        return
    async with EmbeddedPostgres(data_dir) as postgres, EmbeddedValkey(data_dir) as valkey:
        yield Endpoints.of(postgres, valkey)


def forget_endpoints(data_dir: Path) -> None:
    _path(data_dir).unlink(missing_ok=True)


def _path(data_dir: Path) -> Path:
    return data_dir / "endpoints.json"
