from __future__ import annotations

import asyncio
import math
import signal
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from subprocess import Popen

from partywall.adapters.embedded import EmbeddedEngine, EngineError, process
from partywall.core.backoff import RestartPauses
from partywall.supervisor.heartbeat import Channel, Silence
from partywall.supervisor.service import Service

REFUSED = 2
FIRST_DELAY = 0.2
LONGEST_DELAY = 30.0
STEADY_SECONDS = 60.0
# Engines have shorter delays: nothing works without them, and a started one has answered already.
ENGINE_LONGEST_DELAY = 2.0
ENGINE_STEADY_SECONDS = 1.0


@dataclass(slots=True)
class EngineHealth:
    """Which engines are down, and when one last came back (in the event loop's time)."""

    down: set[str] = field(default_factory=set)
    came_back_at: float = -math.inf
    _all_up: asyncio.Event = field(default_factory=asyncio.Event, init=False)

    def __post_init__(self) -> None:
        self._all_up.set()

    def fell(self, engine: str) -> None:
        self.down.add(engine)
        self._all_up.clear()

    def came_back(self, engine: str, moment: float) -> None:
        self.down.discard(engine)
        self.came_back_at = moment
        if not self.down:
            self._all_up.set()

    async def until_up(self) -> None:
        await self._all_up.wait()

    def disturbed_since(self, moment: float) -> bool:
        return bool(self.down) or self.came_back_at >= moment


@dataclass(eq=False)
class Child:
    """The API or the worker: restarted when it dies, killed when its event loop does not answer.

    It imports its program at once and starts working after a line on standard input, so that the engines can start
    meanwhile.
    """

    name: str
    command: Sequence[str]
    environment: Mapping[str, str]
    report: Callable[[str], None]
    service: Service = field(default_factory=lambda: Service(None))
    answers_within: float = 45.0
    pause: float = 1.0
    _process: Popen[bytes] | None = field(default=None, init=False)
    _channel: Channel | None = field(default=None, init=False)
    _start_sent: bool = field(default=False, init=False)

    def start(self) -> None:
        service = self.service
        self._close_channel()
        self._channel = channel = Channel()
        try:
            self._process = process.spawn(
                self.command,
                environment=self.environment,
                account=service.account,
                reach=service.reach,
                stdin=channel.theirs.fileno(),
            )
        finally:
            channel.theirs.close()
        if self._start_sent:
            channel.send_start_signal()

    def send_start_signal(self) -> None:
        """Lets this process start working, and each one that replaces it."""
        self._start_sent = True
        if self._channel is not None:
            self._channel.send_start_signal()

    def _close_channel(self) -> None:
        if self._channel is not None:
            self._channel.close()
            self._channel = None

    async def keep(self, engines: EngineHealth) -> None:
        """Restart it forever. Raises EngineError if it refuses its first start although the engines were up."""
        pauses = RestartPauses(FIRST_DELAY, LONGEST_DELAY, STEADY_SECONDS)
        loop = asyncio.get_running_loop()
        first = True
        while True:
            started = loop.time()
            if self._process is None:
                self.start()
            code = await self._ended()
            if code == REFUSED and first and not engines.disturbed_since(started):
                raise EngineError(f"the {self.name} refused to start (its reason is above)")
            first = False
            if code == REFUSED and engines.disturbed_since(started):
                pauses = RestartPauses(FIRST_DELAY, LONGEST_DELAY, STEADY_SECONDS)
            delay = pauses.next(loop.time() - started)
            self.report(f"the {self.name} {describe(code)}; starting it again in {delay:g} s")
            self._process = None
            await asyncio.sleep(delay)
            await engines.until_up()

    async def _ended(self) -> int:
        """The exit code of its process, which is killed if it is silent for too long."""
        silence = Silence(self.answers_within, self.pause)
        while True:
            try:
                return await asyncio.wait_for(self.exited(), self.pause)
            except TimeoutError:
                if self._start_sent and self._channel is not None and silence.is_too_long(self._channel.heard()):
                    break
        self.report(f"the {self.name} does not answer; killing it")
        return await self._killed()

    async def _killed(self) -> int:
        """Kill it with its process group; returns the exit code."""
        if self._process is None:
            raise RuntimeError(f"{self.name} was not started")
        return await process.stop(self._process, ())

    async def exited(self) -> int:
        if self._process is None:
            raise RuntimeError(f"{self.name} was not started")
        return await process.exited(self._process)

    async def stop(self, seconds: float) -> None:
        self._close_channel()
        if self._process is None:
            return
        if await process.stop(self._process, ((signal.SIGTERM, seconds),)) == -signal.SIGKILL:
            self.report(f"the {self.name} did not stop and was killed")

    def kill(self) -> None:
        if self._process is not None:
            self._process.kill()


async def keep_engine(engine: EmbeddedEngine, health: EngineHealth, report: Callable[[str], None]) -> None:
    """Restart the engine when it ends; the API and the worker reconnect by themselves."""
    pauses = RestartPauses(FIRST_DELAY, ENGINE_LONGEST_DELAY, ENGINE_STEADY_SECONDS)
    loop = asyncio.get_running_loop()
    while True:
        started = loop.time()
        code = await engine.exited()
        health.fell(engine.name)
        report(f"{engine.name} {describe(code)}; starting it again")
        delay = pauses.next(loop.time() - started)
        while True:
            await asyncio.sleep(delay)
            if await _started(engine, report):
                break
            delay = pauses.next(0)
        health.came_back(engine.name, loop.time())
        report(f"{engine.name} is back")


async def _started(engine: EmbeddedEngine, report: Callable[[str], None]) -> bool:
    try:
        await engine.start()
    except EngineError as error:
        report(str(error))
        return False
    return True


def describe(code: int) -> str:
    return f"was killed by {signal.Signals(-code).name}" if code < 0 else f"ended with exit code {code}"
