"""The real API process, for tests that talk to it over loopback."""

from __future__ import annotations

import asyncio
import os
import secrets
import socket
import sys
from collections.abc import AsyncIterator, Mapping
from contextlib import asynccontextmanager, suppress
from pathlib import Path

import httpx2

from partywall.settings import Settings


def free_port() -> int:
    """A port that the system does not assign by itself, so that no client's connection uses it meanwhile."""
    while True:
        port = 20_000 + secrets.randbelow(12_000)
        with socket.socket() as probe, suppress(OSError):
            probe.bind(("127.0.0.1", port))
            return port


async def until_listening(port: int) -> None:
    async with asyncio.timeout(60):
        while True:
            try:
                _, writer = await asyncio.open_connection("127.0.0.1", port)
            except ConnectionRefusedError:
                await asyncio.sleep(0.02)
            else:
                writer.close()
                return


def environment_of(settings: Settings) -> dict[str, str]:
    assert settings.database.url is not None
    assert settings.cache.url is not None
    assert settings.secret_key is not None
    return {
        "DATA_DIR": str(settings.data_dir),
        "SECRET_KEY": settings.secret_key.get_secret_value(),
        "DATABASE__ENGINE": "server",
        "DATABASE__URL": settings.database.url.get_secret_value(),
        "CACHE__ENGINE": "server",
        "CACHE__URL": settings.cache.url.get_secret_value(),
        "ACCOUNTS__ATTEMPTS_PER_MINUTE": "100000",
        "HTTP__DOCS": "true",
        "OUTGOING__ALLOW_HTTP": str(settings.outgoing.allow_http),
        "OUTGOING__ALLOWED_NETWORKS": ",".join(settings.outgoing.allowed_networks),
    }


@asynccontextmanager
async def program(
    *arguments: str, environment: Mapping[str, str], log: Path
) -> AsyncIterator[asyncio.subprocess.Process]:
    """`partywall <arguments>` as a separate process with its output in `log`; ended with SIGTERM."""
    with log.open("wb") as output:
        process = await asyncio.create_subprocess_exec(
            sys.executable,
            "-m",
            "partywall",
            *arguments,
            env={**os.environ, **environment},
            stdout=output,
            stderr=output,
        )
        try:
            yield process
        finally:
            if process.returncode is None:
                process.terminate()
                try:
                    await asyncio.wait_for(process.wait(), 60)
                except TimeoutError:
                    process.kill()
                    await process.wait()


async def until_ready(url: str, seconds: float = 120.0) -> None:
    async with httpx2.AsyncClient() as client, asyncio.timeout(seconds):
        while True:
            try:
                if (await client.get(f"{url}/readyz")).status_code == 200:
                    return
            except httpx2.TransportError:
                pass
            await asyncio.sleep(0.1)
