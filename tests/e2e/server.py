"""Real processes of `partywall serve`: start them, find them, kill them, and leave none behind."""

from __future__ import annotations

import asyncio
import contextlib
import functools
import json
import os
import re
import shutil
import signal
import subprocess
import sys
import tempfile
import threading
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from pathlib import Path

import asyncpg

from partywall.adapters.embedded import open_home
from tests.libpq import LIBPQ_VARIABLES
from tests.server import free_port

MAX_WAIT = 120.0
# Left out: variables that other programs read, and those of libpq.
NONSENSE = dict.fromkeys(("MAIL", "JOBS", "LOG", "DATABASE", "HTTP", "npm_config__x", *LIBPQ_VARIABLES), "nonsense")


async def wait_until[T](probe: Callable[[], T | None], what: str, seconds: float = MAX_WAIT) -> T:
    """Polls; for conditions without a notification."""
    try:
        async with asyncio.timeout(seconds):
            while not (found := probe()):
                await asyncio.sleep(0.02)
    except TimeoutError as error:
        raise AssertionError(f"waited {seconds:g} s for {what}") from error
    return found


def open_directory() -> Path:
    """A fresh directory that every account may traverse, unlike pytest's."""
    directory = Path(tempfile.mkdtemp(prefix="pw-test-"))
    directory.chmod(0o711)
    return directory


def processes_of(data_dir: Path) -> dict[int, str]:
    """Command line by pid of every process that works in, for or on `data_dir`, without zombies."""
    wanted = str(data_dir).encode()
    found = {}
    for entry in Path("/proc").glob("[0-9]*"):
        with contextlib.suppress(OSError):
            command = (entry / "cmdline").read_bytes()
            inside = (entry / "cwd").readlink().is_relative_to(data_dir)
            if command and (inside or wanted in command or wanted in (entry / "environ").read_bytes()):
                found[int(entry.name)] = command.replace(b"\0", b" ").decode()
    found.pop(os.getpid(), None)
    return found


def kill_all(directory: Path) -> None:
    for pid in processes_of(directory):
        with contextlib.suppress(ProcessLookupError):
            os.kill(pid, signal.SIGKILL)


@dataclass
class Serving:
    """One run of a serve command; `output` grows while it runs, and `_grown` is signalled at each line and the end."""

    command: list[str]
    data_dir: Path
    port: int
    environment: Mapping[str, str] = field(default_factory=dict)
    output: str = ""
    _grown: threading.Condition = field(default_factory=threading.Condition)
    _silent: bool = False

    def start(self) -> Serving:
        self.process = subprocess.Popen(
            self.command,
            env={**os.environ, **self.environment},
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
            start_new_session=True,
        )
        self._reader = threading.Thread(target=self._read, daemon=True)
        self._reader.start()
        return self

    def _read(self) -> None:
        assert self.process.stdout is not None
        for line in self.process.stdout:
            with self._grown:
                self.output += line
                self._grown.notify_all()
        with self._grown:
            self._silent = True
            self._grown.notify_all()

    def until(self, pattern: str, seconds: float = MAX_WAIT) -> re.Match[str]:
        with self._grown:
            self._grown.wait_for(lambda: self._silent or re.search(pattern, self.output), seconds)
        found = re.search(pattern, self.output)
        assert found, f"no {pattern!r} within {seconds:g} s in:\n{self.output}"
        return found

    def until_ready(self) -> Serving:
        self.until("Ctrl-C stops everything")
        return self

    def ended(self) -> int:
        code = self.process.wait(MAX_WAIT)
        self._reader.join(MAX_WAIT)
        assert self.process.stdout is not None
        self.process.stdout.close()
        return code

    def stop(self, signum: signal.Signals = signal.SIGTERM) -> int:
        self.process.send_signal(signum)
        return self.ended()

    def pid_of(self, part: str) -> int | None:
        """The pid of the only child whose command line contains `part`."""
        found = [
            pid
            for pid, command in processes_of(self.data_dir).items()
            if part in command and pid != self.process.pid and "launch.py" not in command
        ]
        return min(found) if found else None

    async def running(self, part: str) -> int:
        """Waits for that child and returns its pid: one ready part does not mean that another has started."""
        return await wait_until(functools.partial(self.pid_of, part), part)

    def endpoint(self, name: str) -> str:
        text = (self.data_dir / "endpoints.json").read_text()
        url: str = json.loads(text)[name]
        return url.replace("+asyncpg", "", 1)

    async def execute(self, statement: str) -> None:
        connection = await asyncpg.connect(self.endpoint("runtime_url"))
        await connection.execute(statement)
        await connection.close()

    async def notes(self) -> list[str]:
        connection = await asyncpg.connect(self.endpoint("runtime_url"))
        rows = await connection.fetch("SELECT content FROM note ORDER BY content")
        await connection.close()
        return [row["content"] for row in rows]


@dataclass
class Deployment:
    """A data directory for a test, and every run on it."""

    parent: Path = field(default_factory=open_directory)
    port: int = field(default_factory=free_port)
    runs: list[Serving] = field(default_factory=list)

    @property
    def data_dir(self) -> Path:
        """As awkward as a user's own directory may be."""
        return self.parent / """Zoë's "data" dir"""

    def run(self, command: list[str], environment: Mapping[str, str] | None = None) -> Serving:
        environment = {**NONSENSE, **self._measured(), **(environment or {})}
        serving = Serving(command, self.data_dir, self.port, environment).start()
        self.runs.append(serving)
        return serving

    def _measured(self) -> dict[str, str]:
        """A child of root cannot write its coverage data into the checkout."""
        if not os.environ.get("COVERAGE_PROCESS_CONFIG"):
            return {}
        self.measured.mkdir(exist_ok=True)
        self.measured.chmod(0o1777)
        return {"COVERAGE_FILE": str(self.measured / ".coverage")}

    @property
    def measured(self) -> Path:
        return self.parent / "measured"

    async def aclose(self) -> None:
        for serving in self.runs:
            serving.process.terminate()
            with contextlib.suppress(subprocess.TimeoutExpired):
                serving.process.wait(MAX_WAIT)
        kill_all(self.parent)
        await wait_until(lambda: not processes_of(self.parent), "the last process of the test to end")
        for serving in self.runs:
            serving.ended()
        for measurement in self.measured.glob(".coverage*"):
            shutil.move(measurement, measurement.name)
        if self.data_dir.is_dir():
            open_home(self.data_dir).remove()
        shutil.rmtree(self.parent)


@dataclass
class StandInDeployment(Deployment):
    def command(self, *flags: str) -> list[str]:
        migrations = self.parent / "migrations"
        migrations.mkdir(exist_ok=True)
        (migrations / "0001_note.py").write_text('revision = "0001"\ndown_revision: str | None = None\n')
        script = Path(__file__).with_name("serve_stand_in.py")
        return [sys.executable, str(script), str(self.data_dir), str(self.port), str(migrations), *flags]

    def start(self, **environment: str) -> Serving:
        return self.run(self.command(), environment)
