from __future__ import annotations

import os
import signal
import stat
from collections.abc import AsyncIterator
from pathlib import Path

import pytest
from redis.asyncio import Redis
from redis.exceptions import ConnectionError as RedisConnectionError

from partywall.adapters.embedded import EmbeddedValkey


@pytest.fixture
async def valkey(data_dir: Path) -> AsyncIterator[EmbeddedValkey]:
    server = EmbeddedValkey(data_dir)
    async with server:
        yield server
    server.remove()


def command_line(pid: int | None) -> bytes:
    return Path(f"/proc/{pid}/cmdline").read_bytes()


def owner(pid: int | None) -> int:
    return Path(f"/proc/{pid}").stat().st_uid


async def test_it_stores_and_evicts_the_least_used(valkey: EmbeddedValkey) -> None:
    async with Redis.from_url(valkey.url, decode_responses=True) as client:
        await client.set("key", "value")
        assert await client.get("key") == "value"
        settings = await client.config_get("maxmemory*")
    assert settings["maxmemory-policy"] == "allkeys-lru"
    assert settings["maxmemory"] == str(128 * 1024 * 1024)


async def test_it_needs_the_password_and_hides_it(valkey: EmbeddedValkey) -> None:
    async with Redis(unix_socket_path=str(valkey.socket), password="wrong") as client:
        with pytest.raises(RedisConnectionError, match="invalid username-password"):
            await client.ping()
    assert valkey.home.secret("valkey").encode() not in command_line(valkey.pid)
    assert stat.S_IMODE(valkey.socket.stat().st_mode) == 0o700


async def test_it_is_not_on_the_network_and_not_root(valkey: EmbeddedValkey) -> None:
    async with Redis.from_url(valkey.url, decode_responses=True) as client:
        assert (await client.config_get("port"))["port"] == "0"
    assert owner(valkey.pid) == (os.geteuid() if valkey.home.account is None else valkey.home.account.uid) != 0


async def test_it_starts_again_after_a_kill(valkey: EmbeddedValkey) -> None:
    assert valkey.pid is not None
    os.kill(valkey.pid, signal.SIGKILL)
    await valkey.exited()
    await valkey.start()
    async with Redis.from_url(valkey.url) as client:
        assert await client.ping()
