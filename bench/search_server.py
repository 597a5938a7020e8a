"""Runs `partywall serve` for the search benchmarks."""

from __future__ import annotations

import asyncio
import os
import shutil
import signal
import subprocess
import sys
import tempfile
from collections.abc import AsyncIterator, Mapping, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass
from pathlib import Path

import httpx2

from bench.processes import answers, children_of, free_port
from bench.seed import sign_up
from partywall.adapters.embedded import open_home

BATCH = 100
POLL_SECONDS = 0.25
LONGEST_SECONDS = 3600.0


@dataclass(frozen=True, slots=True)
class SearchServer:
    """A running server; `client` is signed in. `pid` is the supervisor's."""

    client: httpx2.AsyncClient
    pid: int
    data: Path

    async def project(self, name: str) -> str:
        answer = await self.client.post("/api/v1/projects", json={"name": name})
        assert answer.status_code == 201, answer.text
        project: str = answer.json()["id"]
        return project

    async def add(self, project: str, documents: Sequence[Mapping[str, str]]) -> dict[str, str]:
        """Sends them in batches; returns the ids of the collection by Partywall's ids."""
        ids: dict[str, str] = {}
        for start in range(0, len(documents), BATCH):
            body = {"documents": [dict(each) for each in documents[start : start + BATCH]]}
            answer = await self.client.post(f"/api/v1/projects/{project}/documents/batch", json=body)
            assert answer.status_code == 201, answer.text
            ids |= {item["id"]: item["external_id"] for item in answer.json()["items"]}
        return ids

    async def indexed(self, project: str, count: int) -> None:
        """Waits until `count` documents are indexed."""
        async with asyncio.timeout(LONGEST_SECONDS):
            while True:
                answer = await self.client.get(f"/api/v1/projects/{project}/documents/stats")
                by_status = answer.json()["by_index_status"]
                assert by_status["failed"] == 0, by_status
                if by_status["indexed"] == count:
                    return
                await asyncio.sleep(POLL_SECONDS)

    async def search(self, project: str, q: str, **params: str | int) -> list[str]:
        """The ids of the documents found, best first."""
        answer = await self.client.get(f"/api/v1/projects/{project}/search", params={"q": q, **params})
        assert answer.status_code == 200, answer.text
        return [item["document_id"] for item in answer.json()["items"]]


@asynccontextmanager
async def open_search_server(
    environment: Mapping[str, str], models: Path | None = None, kept: Path | None = None
) -> AsyncIterator[SearchServer]:
    """A server in a temporary directory, or in the `kept` one. `models` is a directory of installed models to copy."""
    directory = await asyncio.to_thread(_make_directory) if kept is None else kept
    try:
        if models is not None:
            await asyncio.to_thread(shutil.copytree, models, directory / "data" / "models")
        async with (
            _serving(directory, environment) as (port, pid),
            httpx2.AsyncClient(base_url=f"http://127.0.0.1:{port}", timeout=120) as client,
        ):
            client.headers["Authorization"] = f"Bearer {await sign_up(client)}"
            yield SearchServer(client, pid, directory / "data")
    finally:
        if kept is None:
            await asyncio.to_thread(_remove, directory)


@asynccontextmanager
async def _serving(directory: Path, environment: Mapping[str, str]) -> AsyncIterator[tuple[int, int]]:
    port, log = free_port(), directory / "log"
    command = [sys.executable, "-m", "partywall", "serve", "--port", str(port), "--data-dir", str(directory / "data")]
    settings = {"ACCOUNTS__ACCESS_TOKEN_TTL": "PT4H", "LOG__FORMAT": "json", "LOG__LEVEL": "warning", **environment}
    process = await asyncio.to_thread(_start, command, settings, log)
    try:
        await answers(process, port, log)
        yield port, process.pid
    finally:
        process.send_signal(signal.SIGTERM)
        await asyncio.to_thread(process.wait)


def _start(command: Sequence[str], settings: Mapping[str, str], log: Path) -> subprocess.Popen[bytes]:
    with log.open("wb") as output:
        return subprocess.Popen(command, env={**os.environ, **settings}, stdout=output, stderr=subprocess.STDOUT)


def cpu_by_kind(pid: int) -> dict[str, float]:
    """CPU-seconds of `pid` and its descendants, including ended children, by `partywall`, `postgres` and `valkey`."""
    used: dict[str, float] = {}
    for each in [pid, *children_of(pid)]:
        kind = _kind(Path(f"/proc/{each}/cmdline").read_bytes())
        fields = Path(f"/proc/{each}/stat").read_text().rpartition(")")[2].split()
        ticks = sum(int(field) for field in fields[11:15])
        used[kind] = used.get(kind, 0.0) + ticks / os.sysconf("SC_CLK_TCK")
    return used


def resident_mb(pid: int) -> dict[str, float]:
    """Resident memory in MB, by the same kinds."""
    found: dict[str, float] = {}
    for each in [pid, *children_of(pid)]:
        kind = _kind(Path(f"/proc/{each}/cmdline").read_bytes())
        pages = int(Path(f"/proc/{each}/statm").read_text().split()[1])
        found[kind] = found.get(kind, 0.0) + pages * os.sysconf("SC_PAGE_SIZE") / 1e6
    return found


def _kind(command: bytes) -> str:
    program = command.partition(b"\0")[0]
    return next((kind for kind in ("postgres", "valkey") if kind.encode() in program), "partywall")


def _make_directory() -> Path:
    """A temporary directory that the engines' account may traverse."""
    directory = Path(tempfile.mkdtemp(prefix="pw-bench-"))
    directory.chmod(0o711)
    return directory


def _remove(directory: Path) -> None:
    data = directory / "data"
    if data.is_dir():
        open_home(data).remove()
    shutil.rmtree(directory)
