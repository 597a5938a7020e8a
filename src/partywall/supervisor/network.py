from __future__ import annotations

import asyncio
import socket

from partywall.adapters.embedded import EngineError

PORT_SECONDS = 2.0
POLL_SECONDS = 0.05


async def require_free_port(host: str, port: int) -> None:
    """Raises EngineError if the port is in use, after a wait for children of a killed run to end."""
    loop = asyncio.get_running_loop()
    deadline = loop.time() + PORT_SECONDS
    while (problem := _problem(host, port)) is not None:
        if loop.time() > deadline:
            raise EngineError(problem)
        await asyncio.sleep(POLL_SECONDS)


def _problem(host: str, port: int) -> str | None:
    family = socket.AF_INET6 if ":" in host else socket.AF_INET
    with socket.socket(family, socket.SOCK_STREAM) as probe:
        probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            probe.bind((host, port))
        except OSError as error:
            reason = error.strerror or str(error)
            return f"cannot listen on {host} port {port} ({reason}): choose another with --port"
    return None


async def status_of(host: str, port: int, path: str) -> int | None:
    """The status of a GET, or None without an answer."""
    target = {"0.0.0.0": "127.0.0.1", "::": "::1"}.get(host, host)  # noqa: S104 - to connect to, not to bind
    try:
        reader, writer = await asyncio.open_connection(target, port)
    except OSError:
        return None
    try:
        writer.write(f"GET {path} HTTP/1.1\r\nHost: {host}:{port}\r\nConnection: close\r\n\r\n".encode())
        words = (await reader.readline()).split()
    except OSError:
        return None
    finally:
        writer.close()
    return int(words[1]) if len(words) > 1 and words[1].isdigit() else None
