"""A minimal program with the commands that `partywall serve` starts."""

from __future__ import annotations

import argparse
import asyncio
import os
import signal
import sys
from pathlib import Path

import asyncpg


def dsn(name: str) -> str:
    return os.environ[name].replace("+asyncpg", "", 1)


async def meet(command: str) -> None:
    """The migration waits until the API has started and waits for its notification."""
    if (deployment := os.environ.get("STAND_IN_MEETING")) is None:
        return
    api = Path(deployment, "api")
    if command == "api":
        api.touch()
    while command == "migrate" and not api.exists():
        await asyncio.sleep(0.02)


def is_notified() -> bool:
    notified = sys.stdin.readline() != ""
    sys.stdout.write(f"{sys.argv[1]} was {'told' if notified else 'left'}\n")
    sys.stdout.flush()
    return notified


async def migrate() -> None:
    connection = await asyncpg.connect(dsn("DATABASE__OWNER_URL"))
    await connection.execute(
        """
        CREATE TABLE alembic_version (version_num text PRIMARY KEY);
        CREATE TABLE note (content text NOT NULL);
        GRANT SELECT, INSERT ON note TO partywall_app;
        INSERT INTO alembic_version VALUES ('0001');
        """
    )
    await connection.close()


async def answer(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
    await reader.readline()
    try:
        connection = await asyncpg.connect(dsn("DATABASE__URL"))
        await connection.close()
        status = "200 OK"
    except OSError:
        status = "503 Service Unavailable"
    writer.write(f"HTTP/1.1 {status}\r\nContent-Length: 0\r\nConnection: close\r\n\r\n".encode())
    await writer.drain()
    writer.close()


async def until_terminated() -> None:
    ended = asyncio.Event()
    hangs = os.environ.get("STAND_IN_HANGS") == sys.argv[1]
    asyncio.get_running_loop().add_signal_handler(signal.SIGTERM, ended.clear if hangs else ended.set)
    await ended.wait()


async def api(host: str, port: int) -> None:
    async with await asyncio.start_server(answer, host, port):
        await until_terminated()


def main() -> int:
    parser = argparse.ArgumentParser()
    parser.add_argument("command", choices=["api", "worker", "migrate"])
    parser.add_argument("--host")
    parser.add_argument("--port", type=int)
    parser.add_argument("--when-told", dest="start_signal", action="store_true")
    arguments = parser.parse_args()
    if os.environ.get("STAND_IN_REFUSES") == arguments.command:
        return 2
    asyncio.run(meet(arguments.command))
    if arguments.start_signal and not is_notified():
        return 0
    if arguments.command == "migrate":
        asyncio.run(migrate())
    elif arguments.command == "api":
        asyncio.run(api(arguments.host, arguments.port))
    else:
        asyncio.run(until_terminated())
    return 0


if __name__ == "__main__":
    sys.exit(main())
