"""Drops connections, stops and kills API processes, and kills Valkey while clients follow streams."""

from __future__ import annotations

import asyncio
import os
import random
import signal
import subprocess
import sys
from collections.abc import Sequence
from dataclasses import dataclass, field

from bench.deployment import Deployment
from bench.processes import answers, start
from bench.readers import Reader

VALKEY_AWAY_SECONDS = 1.0


@dataclass(slots=True)
class Api:
    """An API process that can be restarted on the same port."""

    deployment: Deployment
    port: int
    core: int
    starts: int = 0
    process: subprocess.Popen[bytes] | None = None

    @property
    def pid(self) -> int:
        assert self.process is not None
        return self.process.pid

    async def start(self) -> None:
        self.starts += 1
        log = self.deployment.directory / f"api{self.starts}.log"
        command = [sys.executable, "-m", "partywall", "api", "--port", str(self.port)]
        self.process = start(command, self.deployment.environment, self.core, log)
        await answers(self.process, self.port, log)

    async def end(self, with_signal: signal.Signals) -> None:
        assert self.process is not None
        self.process.send_signal(with_signal)
        await asyncio.to_thread(self.process.wait)


@dataclass(slots=True)
class Breakdowns:
    """Causes one failure after another until `stopping` is set; everything runs at the end."""

    api: Api
    deployment: Deployment
    readers: Sequence[Reader]
    drop_every: float
    break_every: float
    stopping: asyncio.Event = field(default_factory=asyncio.Event)
    drops: int = 0
    terminated: int = 0
    killed: int = 0
    valkey_killed: int = 0

    async def run(self) -> None:
        async with asyncio.TaskGroup() as group:
            group.create_task(self._drop_connections())
            group.create_task(self._break_processes())

    async def _goes_on(self, seconds: float) -> bool:
        try:
            async with asyncio.timeout(seconds):
                await self.stopping.wait()
        except TimeoutError:
            return True
        return False

    async def _drop_connections(self) -> None:
        chance = random.Random(5)
        while await self._goes_on(self.drop_every):
            self.drops += chance.choice(self.readers).drop()

    async def _break_processes(self) -> None:
        steps = (self._terminate, self._kill_valkey, self._kill)
        count = 0
        while await self._goes_on(self.break_every):
            await steps[count % len(steps)]()
            count += 1

    async def _terminate(self) -> None:
        await self.api.end(signal.SIGTERM)
        self.terminated += 1
        await self.api.start()

    async def _kill(self) -> None:
        await self.api.end(signal.SIGKILL)
        self.killed += 1
        await self.api.start()

    async def _kill_valkey(self) -> None:
        assert self.deployment.valkey.pid is not None
        os.kill(self.deployment.valkey.pid, signal.SIGKILL)
        self.valkey_killed += 1
        await self.deployment.valkey.stop()
        await asyncio.sleep(VALKEY_AWAY_SECONDS)
        await self.deployment.valkey.start()
