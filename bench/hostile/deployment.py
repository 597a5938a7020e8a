"""A temporary `partywall serve` with default limits, and a model server."""

from __future__ import annotations

import asyncio
import os
import signal
import sys
from asyncio.subprocess import DEVNULL, PIPE, Process
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass
from pathlib import Path

from bench.deployment import throwaway
from bench.processes import free_port
from partywall.supervisor.network import status_of

READY_SECONDS = 120.0
STOP_SECONDS = 60.0


@dataclass(frozen=True, slots=True)
class Deployment:
    port: int
    pid: int
    log: Path


def _environment(model_url: str) -> dict[str, str]:
    """Default limits; webhooks may call receivers on loopback."""
    return {
        **os.environ,
        "AGENTS__MODEL": "openai:scripted",
        "AGENTS__BASE_URL": model_url,
        "AGENTS__MODULES": "bench.agent",
        "OUTGOING__ALLOW_HTTP": "true",
        "OUTGOING__ALLOWED_NETWORKS": "127.0.0.0/8",
        "LOG__FORMAT": "json",
    }


@asynccontextmanager
async def model_server() -> AsyncIterator[str]:
    """Runs a model server; yields its address."""
    process = await asyncio.create_subprocess_exec(sys.executable, "-m", "bench.hostile.model", stdout=PIPE)
    try:
        assert process.stdout is not None
        yield (await process.stdout.readline()).decode().strip()
    finally:
        await _stop(process)


@asynccontextmanager
async def deployment(log: Path | None = None) -> AsyncIterator[Deployment]:
    """A ready server that inherits the environment; its output goes to `log`."""
    with throwaway() as directory:
        port, log = free_port(), log or directory / "serve.log"
        command = [
            sys.executable,
            "-m",
            "partywall",
            "serve",
            "--port",
            str(port),
            "--data-dir",
            str(directory / "data"),
        ]
        async with model_server() as model_url:
            with log.open("wb") as output:
                process = await asyncio.create_subprocess_exec(
                    *command, env=_environment(model_url), stdin=DEVNULL, stdout=output, stderr=output
                )
            try:
                await _until_ready(process, port, log)
                yield Deployment(port, process.pid, log)
            finally:
                await _stop(process)


async def _until_ready(process: Process, port: int, log: Path) -> None:
    async with asyncio.timeout(READY_SECONDS):
        while await status_of("127.0.0.1", port, "/readyz") != 200:
            if process.returncode is not None:
                raise RuntimeError(f"partywall serve ended: {await asyncio.to_thread(log.read_text)}")
            await asyncio.sleep(0.1)


async def _stop(process: Process) -> None:
    if process.returncode is None:
        process.send_signal(signal.SIGTERM)
    try:
        async with asyncio.timeout(STOP_SECONDS):
            await process.wait()
    except TimeoutError:
        process.send_signal(signal.SIGTERM)  # the second one kills what is still running
        await process.wait()
