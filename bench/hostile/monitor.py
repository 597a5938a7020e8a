"""Samples the memory of the API, the worker and their text processes."""

from __future__ import annotations

import asyncio
import os
from contextlib import suppress
from dataclasses import dataclass, field
from pathlib import Path

from bench.memory import part_of
from bench.processes import children_of

SERVERS = ("api", "worker")
TEXTS = "texts"
PARTS = (*SERVERS, TEXTS)
SAMPLE_SECONDS = 0.2
PAGE_MB = os.sysconf("SC_PAGE_SIZE") / 2**20
RESET_PEAK = "5"


def _resident(pid: int) -> float:
    return int(Path(f"/proc/{pid}/statm").read_text().split()[1]) * PAGE_MB


def _peak(pid: int) -> float:
    """The peak in MB since the last reset."""
    for line in Path(f"/proc/{pid}/status").read_text().splitlines():
        if line.startswith("VmHWM:"):
            return int(line.split()[1]) / 1024
    return 0.0


@dataclass(slots=True)
class Monitor:
    """Monitors the children of the supervisor `root`. `peaks` are in MB, since the last `reset`."""

    root: int
    peaks: dict[str, float] = field(default_factory=dict)
    restarts: int = 0
    _pids: dict[str, int] = field(default_factory=dict)

    async def run(self) -> None:
        while True:
            self.sample()
            await asyncio.sleep(SAMPLE_SECONDS)

    def sample(self) -> dict[str, float]:
        """Current resident memory of each part, in MB."""
        found: dict[str, float] = {TEXTS: 0.0}
        for child in self._children(self.root):
            with suppress(OSError):
                part = part_of(child)
                if part in SERVERS and part not in found:
                    self._follow(part, child)
                    found[part] = _resident(child)
                    found[TEXTS] += self._below(child)
        for part, value in found.items():
            self.peaks[part] = max(self.peaks.get(part, 0.0), value)
        return found

    def reset(self) -> None:
        self.peaks.clear()
        for pid in self._pids.values():
            with suppress(OSError):
                Path(f"/proc/{pid}/clear_refs").write_text(RESET_PEAK)
        self.sample()

    def finish(self) -> dict[str, float]:
        """The peaks, including those between samples."""
        self.sample()
        for part, pid in self._pids.items():
            with suppress(OSError):
                self.peaks[part] = max(self.peaks.get(part, 0.0), _peak(pid))
        return dict(self.peaks)

    def _follow(self, part: str, pid: int) -> None:
        self.restarts += self._pids.get(part, pid) != pid
        self._pids[part] = pid

    def _below(self, pid: int) -> float:
        total = 0.0
        for child in self._children(pid):
            with suppress(OSError):
                total += _resident(child)
        return total

    def _children(self, pid: int) -> list[int]:
        """Retries, because processes may end while they are listed."""
        for _ in range(3):
            with suppress(OSError):
                return children_of(pid)
        return []
