"""A worker that indexes documents while something else is measured."""

from __future__ import annotations

import asyncio
import signal
import sys
import time
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass

import httpx2

from bench.deployment import Deployment
from bench.processes import start
from bench.prose import Prose
from bench.seed import BATCH, CONTENT_LENGTH

LONGEST_SECONDS = 600.0
POLL_SECONDS = 0.2


@asynccontextmanager
async def worker(deployment: Deployment, core: int) -> AsyncIterator[None]:
    command = [sys.executable, "-m", "partywall", "worker"]
    process = start(command, deployment.environment, core, deployment.directory / "worker.log")
    try:
        yield
    finally:
        process.send_signal(signal.SIGTERM)
        await asyncio.to_thread(process.wait)


@dataclass(slots=True)
class Indexing:
    """`ended` is the Unix time at which everything was indexed; 0 before."""

    ended: float = 0.0


@asynccontextmanager
async def indexing(port: int, deployment: Deployment, token: str, documents: int, core: int) -> AsyncIterator[Indexing]:
    """Starts a worker on `core` with `documents` pending in a new project; yields when the first is indexed."""
    headers = {"Authorization": f"Bearer {token}"}
    async with httpx2.AsyncClient(base_url=f"http://127.0.0.1:{port}/api/v1", headers=headers, timeout=60) as client:
        project = (await client.post("/projects", json={"name": "Library"})).raise_for_status().json()["id"]
        prose = Prose(seed=5)
        for first in range(0, documents, BATCH):
            texts = [prose.document(first + number, CONTENT_LENGTH) for number in range(min(BATCH, documents - first))]
            await _post(client, f"/projects/{project}/documents/batch", {"documents": texts})
        async with worker(deployment, core), asyncio.TaskGroup() as group:
            await _indexed(client, project, 1)
            found = Indexing()
            watching = group.create_task(_watch(client, project, documents, found))
            yield found
            await watching


async def _post(client: httpx2.AsyncClient, path: str, body: dict[str, list[dict[str, str]]]) -> None:
    answer = await client.post(path, json=body)
    assert answer.status_code == 201, answer.text


async def _watch(client: httpx2.AsyncClient, project: str, documents: int, found: Indexing) -> None:
    await _indexed(client, project, documents)
    found.ended = time.time()


async def _indexed(client: httpx2.AsyncClient, project: str, count: int) -> None:
    async with asyncio.timeout(LONGEST_SECONDS):
        while True:
            facts = (await client.get(f"/projects/{project}/documents/stats")).raise_for_status().json()
            if facts["by_index_status"]["indexed"] >= count:
                return
            await asyncio.sleep(POLL_SECONDS)
