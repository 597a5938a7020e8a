"""Runs `partywall serve` from a checkout and measures the CPU of each of its processes."""

from __future__ import annotations

import asyncio
import os
import signal
import sys
from collections.abc import AsyncIterator, Mapping
from contextlib import asynccontextmanager, suppress
from dataclasses import dataclass
from pathlib import Path

import asyncpg
import orjson

from bench.deployment import throwaway
from bench.processes import answers, children_of, free_port, start

# PostgreSQL's backends by client; its other processes write the log and clean up.
_APPLICATIONS = {"partywall-api": "PostgreSQL for the API", "partywall-worker": "PostgreSQL for the worker"}
_OTHERS = "PostgreSQL itself"
_TICKS = os.sysconf("SC_CLK_TCK")


@dataclass(frozen=True, slots=True)
class Served:
    """A running server. `pid` is the supervisor's."""

    port: int
    pid: int
    dsn: str

    async def cpu(self) -> dict[str, float]:
        """CPU-seconds used so far, by process; those of PostgreSQL's backends by client."""
        serving = await self._backends()
        used: dict[str, float] = {}
        for pid in self._processes():
            with suppress(FileNotFoundError, ProcessLookupError):  # it has just ended
                name = _name(_command(pid))
                own, ended = _seconds(pid)
                used[_OTHERS] = used.get(_OTHERS, 0.0) + (ended if name == _OTHERS else 0.0)
                name = serving.get(pid, name)
                used[name] = used.get(name, 0.0) + own
        return used

    def pause(self) -> None:
        """Stops all processes until `resume`, while another server is measured."""
        self._signal(signal.SIGSTOP)

    def resume(self) -> None:
        self._signal(signal.SIGCONT)

    def _signal(self, number: signal.Signals) -> None:
        for pid in self._processes():
            with suppress(ProcessLookupError):
                os.kill(pid, number)

    def _processes(self) -> list[int]:
        while True:
            with suppress(FileNotFoundError, ProcessLookupError):  # a process has just ended
                return [self.pid, *children_of(self.pid)]

    async def _backends(self) -> dict[int, str]:
        connection = await asyncpg.connect(self.dsn)
        try:
            rows = await connection.fetch("SELECT pid, application_name FROM pg_stat_activity")
        finally:
            await connection.close()
        known = ((row["pid"], _APPLICATIONS.get(row["application_name"] or "")) for row in rows)
        return {pid: name for pid, name in known if name is not None}


@asynccontextmanager
async def serving(checkout: Path, environment: Mapping[str, str]) -> AsyncIterator[Served]:
    """A server in a temporary directory."""
    with throwaway() as directory:
        data, log, port = directory / "data", directory / "log", free_port()
        command = [sys.executable, "-m", "partywall", "serve", "--port", str(port), "--data-dir", str(data)]
        own = {"PYTHONPATH": str(checkout / "src"), "LOG__FORMAT": "json", **environment}
        process = start(command, own, None, log)
        try:
            await answers(process, port, log)
            endpoints = orjson.loads((data / "endpoints.json").read_bytes())
            yield Served(port, process.pid, endpoints["runtime_url"].replace("+asyncpg", "", 1))
        finally:
            process.send_signal(signal.SIGTERM)
            await asyncio.to_thread(process.wait)


def _command(pid: int) -> list[str]:
    return Path(f"/proc/{pid}/cmdline").read_text().split("\0")


def _name(command: list[str]) -> str:
    if "postgres" in command[0]:
        return _OTHERS
    if "valkey" in command[0]:
        return "Valkey"
    return next((kind for word, kind in (("api", "API"), ("worker", "worker")) if word in command), "supervisor")


def _seconds(pid: int) -> tuple[float, float]:
    """CPU-seconds of the process itself, and of its ended children."""
    fields = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()
    return (int(fields[11]) + int(fields[12])) / _TICKS, (int(fields[13]) + int(fields[14])) / _TICKS
