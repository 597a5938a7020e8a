from __future__ import annotations

import asyncio
import os
import signal
import socket
import subprocess
from collections.abc import AsyncIterator, Mapping, Sequence
from contextlib import asynccontextmanager
from pathlib import Path

from partywall.supervisor.network import status_of

READY_SECONDS = 60.0


def free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port: int = probe.getsockname()[1]
        return port


def pin(pid: int, core: int) -> None:
    """Pins the process, and what it forks later, to one core; pid 0 is the caller."""
    os.sched_setaffinity(pid, {core})


def pin_tree(pid: int, core: int) -> None:
    for task in [pid, *children_of(pid)]:
        pin(task, core)


def children_of(pid: int) -> list[int]:
    """All descendants."""
    found = [int(child) for child in Path(f"/proc/{pid}/task/{pid}/children").read_text().split()]
    return [*found, *(deeper for child in found for deeper in children_of(child))]


def start(
    command: Sequence[str], environment: Mapping[str, str], core: int | None, log: Path
) -> subprocess.Popen[bytes]:
    """Starts the command, pinned to `core` unless that is None."""
    pinned = [] if core is None else ["taskset", "-c", str(core)]
    with log.open("wb") as output:
        return subprocess.Popen(
            [*pinned, *command],
            env={**os.environ, **environment},
            stdout=output,
            stderr=subprocess.STDOUT,
        )


async def answers(process: subprocess.Popen[bytes], port: int, log: Path) -> None:
    """Waits until `/healthz` is 200."""
    async with asyncio.timeout(READY_SECONDS):
        while await status_of("127.0.0.1", port, "/healthz") != 200:
            if process.poll() is not None:
                raise RuntimeError(f"the server ended: {await asyncio.to_thread(log.read_text)}")
            await asyncio.sleep(0.05)


@asynccontextmanager
async def server(
    command: Sequence[str], environment: Mapping[str, str], *, port: int, core: int, log: Path
) -> AsyncIterator[subprocess.Popen[bytes]]:
    """A healthy server pinned to one core, with its output in `log`; stopped at the end."""
    process = start(command, environment, core, log)
    try:
        await answers(process, port, log)
        yield process
    finally:
        process.send_signal(signal.SIGTERM)
        await asyncio.to_thread(process.wait)


def cpu_seconds(pid: int) -> float:
    """User and system time of the process."""
    fields = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()
    return (int(fields[11]) + int(fields[12])) / os.sysconf("SC_CLK_TCK")
