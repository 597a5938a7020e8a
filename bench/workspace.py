"""Shared by the run benchmarks: an API process, workers with the agent `bench`, and a local model server."""

from __future__ import annotations

import asyncio
import json
import subprocess
import sys
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass

import asyncpg
import httpx2

from bench.deployment import Deployment, open_deployment
from bench.processes import free_port, server, start
from bench.seed import sign_up
from tests.features.runs.model_server import ModelServer, model_server

type Json = dict[str, object]

OUTBOX = "outbox"
STOP_SECONDS = 30.0


@dataclass(frozen=True, slots=True)
class Workspace:
    """`client` acts as the owner of all projects, at `/api/v1`."""

    deployment: Deployment
    port: int
    client: httpx2.AsyncClient
    token: str
    model: ModelServer

    async def project(self, name: str) -> str:
        answer = await self.client.post("/projects", json={"name": name})
        return str(_json(answer, 201)["id"])

    async def document(self, project: str, title: str) -> str:
        answer = await self.client.post(f"/projects/{project}/documents", json={"title": title, "content": "Begun.\n"})
        return str(_json(answer, 201)["id"])

    async def start_run(self, project: str, task: str) -> str:
        answer = await self.client.post(f"/projects/{project}/runs", json={"agent": "bench", "input": {"task": task}})
        return str(_json(answer, 202)["id"])

    async def count(self, query: str) -> int:
        """The result of a query, run as superuser."""
        connection = await asyncpg.connect(self.deployment.superuser_url.replace("+asyncpg", "", 1))
        try:
            found: int = await connection.fetchval(query)
        finally:
            await connection.close()
        return found

    def start_worker(self, number: int, core: int | None = None) -> subprocess.Popen[bytes]:
        """Pinned to `core` unless that is None."""
        log = self.deployment.directory / f"worker{number}.log"
        return start([sys.executable, "-m", "partywall", "worker"], self.deployment.environment, core, log)


def _json(answer: httpx2.Response, status: int) -> Json:
    assert answer.status_code == status, answer.text
    found: Json = answer.json()
    return found


@asynccontextmanager
async def open_workspace(api_core: int, other_core: int, **environment: str) -> AsyncIterator[Workspace]:
    """Temporary engines and a healthy API; the caller starts workers."""
    async with open_deployment(other_core) as deployment, model_server() as model:
        deployment.environment.update(
            {
                "AGENTS__MODEL": "openai:scripted",
                "AGENTS__BASE_URL": model.url,
                "AGENTS__MODULES": "bench.agent",
                **environment,
            }
        )
        port = free_port()
        command = [sys.executable, "-m", "partywall", "api", "--port", str(port)]
        serving = server(
            command, deployment.environment, port=port, core=api_core, log=deployment.directory / "api.log"
        )
        client = httpx2.AsyncClient(base_url=f"http://127.0.0.1:{port}/api/v1", timeout=60)
        async with serving, client:
            async with httpx2.AsyncClient(base_url=f"http://127.0.0.1:{port}", timeout=60) as outsider:
                token = await sign_up(outsider)
            client.headers["Authorization"] = f"Bearer {token}"
            yield Workspace(deployment, port, client, token, model)


async def stop(worker: subprocess.Popen[bytes]) -> None:
    """Stops the worker with SIGTERM, as a deployment does."""
    worker.terminate()
    async with asyncio.timeout(STOP_SECONDS):
        await asyncio.to_thread(worker.wait)


def parsed(lines: str) -> list[Json]:
    """The JSON object of each line."""
    return [json.loads(line) for line in lines.splitlines()]
