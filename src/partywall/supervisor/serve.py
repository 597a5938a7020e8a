from __future__ import annotations

import asyncio
import errno
import signal
from functools import partial
from pathlib import Path

from partywall.adapters.embedded import (
    SERVE_LOCK,
    DirectoryLock,
    EmbeddedPostgres,
    EmbeddedValkey,
    Endpoints,
    EngineError,
    forget_endpoints,
    open_home,
    process,
)
from partywall.core.system_errors import explained
from partywall.supervisor.children import Child, EngineHealth, describe, keep_engine
from partywall.supervisor.console import announce, complain, report
from partywall.supervisor.migrations import at_head
from partywall.supervisor.network import require_free_port, status_of
from partywall.supervisor.options import START_SIGNAL_FLAG, ServeOptions
from partywall.supervisor.service import Service

READY = 200
READY_POLL_SECONDS = 0.02
READY_REPORT_SECONDS = 15.0
OWNED = {"DATABASE__OWNER_URL"}  # the API and the worker must not have the owner's password
# glibc's arena per core is useless under the GIL and costs 3 MB per process.
ALLOCATOR = {"MALLOC_ARENA_MAX": "1"}
STOP_SIGNALS = (signal.SIGINT, signal.SIGTERM, signal.SIGHUP)


class _Stopped(Exception):
    pass


def serve(options: ServeOptions) -> int:
    """Run until stopped. Exit code 0 after a stop, 2 if it cannot start (one line on stderr says why)."""
    try:
        return asyncio.run(Supervisor(options).run())
    except* OSError as errors:
        complain(_first(errors, options.data_dir))
    return 2


def _first(errors: BaseExceptionGroup[OSError], data_dir: Path) -> str:
    error: BaseException = errors
    while isinstance(error, BaseExceptionGroup):
        error = error.exceptions[0]
    assert isinstance(error, OSError)
    if error.filename is None:
        return f"{data_dir}: {error.strerror or error}"
    elsewhere = ": set DATA_DIR to a directory that can be written to" if error.errno == errno.EROFS else ""
    return f"{explained(error)}{elsewhere}"


def _is_hangup_ignored(signum: signal.Signals) -> bool:
    """Started with `nohup`, so that it outlives the terminal."""
    return signum == signal.SIGHUP and signal.getsignal(signum) is signal.SIG_IGN


class Supervisor:
    """Starts and stops the engines, migrations, API and worker of one data directory together."""

    def __init__(self, options: ServeOptions) -> None:
        self._options = options
        self._lock = DirectoryLock(options.data_dir, SERVE_LOCK)
        self._postgres = EmbeddedPostgres(
            options.data_dir, settings=options.postgres_settings, connections=options.connections, report=report
        )
        self._valkey = EmbeddedValkey(options.data_dir, report=report)
        self._health = EngineHealth()
        self._service = Service(None)
        self._children: list[Child] = []
        self._stop = asyncio.Event()

    async def run(self) -> int:
        code = 0
        self._listen_for_signals()
        try:
            async with asyncio.TaskGroup() as group:
                group.create_task(self._until_stopped())
                group.create_task(self._serve(group))
        except* _Stopped:
            report("stopping")
        except* EngineError as errors:
            complain(str(errors.exceptions[0]))
            code = 2
        finally:
            await self._stop_all()
        return code

    def _listen_for_signals(self) -> None:
        loop = asyncio.get_running_loop()
        for signum in STOP_SIGNALS:
            if not _is_hangup_ignored(signum):
                loop.add_signal_handler(signum, self._on_signal)
        if self._options.stop_with_parent:
            process.stop_with_parent(signal.SIGTERM)

    def _on_signal(self) -> None:
        if self._stop.is_set():
            report("killing what has not stopped yet")
            for child in self._children:
                child.kill()
        self._stop.set()

    async def _until_stopped(self) -> None:
        await self._stop.wait()
        raise _Stopped

    async def _serve(self, group: asyncio.TaskGroup) -> None:
        await self._claim()
        endpoints = Endpoints.of(self._postgres, self._valkey)
        api, worker = self._make_children(endpoints)
        self._run(api, group)
        await self._start_engines()
        for engine in (self._postgres, self._valkey):
            group.create_task(keep_engine(engine, self._health, report))
        await self._migrate(endpoints)
        endpoints.write(self._options.data_dir)
        report("starting the API and the worker")
        api.send_start_signal()
        # Otherwise the worker's imports would compete with the API's for the cores of a small machine.
        await self._until_answering()
        worker.send_start_signal()
        self._run(worker, group)
        await self._until_ready()
        options = self._options
        announce(options.base_url, options.data_dir.resolve(), self._postgres.home.directory, options.mail)

    def _run(self, child: Child, group: asyncio.TaskGroup) -> None:
        self._children.append(child)
        child.start()
        group.create_task(child.keep(self._health))

    async def _claim(self) -> None:
        """Check all preconditions and lock the directories; afterwards the engines' URLs are known."""
        if self._options.warning is not None:
            complain(self._options.warning)
        home = await asyncio.to_thread(open_home, self._options.data_dir)
        self._lock.acquire()
        self._service = await asyncio.to_thread(Service.prepared, self._options, home.account)
        await require_free_port(self._options.host, self._options.port)
        for engine in (self._postgres, self._valkey):
            await engine.prepare()

    async def _start_engines(self) -> None:
        report("starting PostgreSQL and Valkey")
        try:
            async with asyncio.TaskGroup() as group:
                group.create_task(self._postgres.start())
                group.create_task(self._valkey.start())
        except* EngineError as errors:
            raise EngineError(str(errors.exceptions[0])) from errors

    async def _migrate(self, endpoints: Endpoints) -> None:
        owner_dsn = endpoints.owner_url.replace("+asyncpg", "", 1)
        if await at_head(owner_dsn, self._options.version_tables):
            return
        report("bringing the schema up to date")
        environment = self._environment(endpoints) | {"DATABASE__OWNER_URL": endpoints.owner_url}
        service = self._service
        code = await process.run(
            [*self._options.program, "migrate"],
            environment=environment,
            account=service.account,
            reach=service.reach,
        )
        if code:
            raise EngineError(f"the migration {describe(code)} (its reason is above)")

    def _make_children(self, endpoints: Endpoints) -> tuple[Child, Child]:
        options = self._options
        environment = self._environment(endpoints)
        address = ("--host", options.host, "--port", str(options.port))
        child = partial(
            Child, environment=environment, report=report, service=self._service, answers_within=options.answers_within
        )
        return (
            child("API", [*options.program, "api", *address, START_SIGNAL_FLAG]),
            child("worker", [*options.program, "worker", START_SIGNAL_FLAG]),
        )

    def _environment(self, endpoints: Endpoints) -> dict[str, str]:
        data_dir = self._options.data_dir.resolve()
        inherited = {name: value for name, value in self._options.environment.items() if name.upper() not in OWNED}
        return {
            **ALLOCATOR,
            **self._service.environment(inherited, data_dir),
            "DATA_DIR": str(data_dir),
            "HTTP__PUBLIC_URL": self._options.public_url or self._options.base_url,
            "DATABASE__ENGINE": "embedded",
            "DATABASE__URL": endpoints.runtime_url,
            "DATABASE__DIRECT_URL": endpoints.direct_url,
            "CACHE__ENGINE": "embedded",
            "CACHE__URL": endpoints.cache_url,
        }

    async def _until_answering(self) -> None:
        while True:
            if await self._readiness() is not None:
                return
            await asyncio.sleep(READY_POLL_SECONDS)

    async def _until_ready(self) -> None:
        loop = asyncio.get_running_loop()
        report_at = loop.time() + READY_REPORT_SECONDS
        while (status := await self._readiness()) != READY:
            if loop.time() > report_at:
                answer = "no answer" if status is None else f"its status is {status}"
                report(f"still waiting for {self._options.base_url}/readyz ({answer})")
                report_at += READY_REPORT_SECONDS
            await asyncio.sleep(READY_POLL_SECONDS)

    async def _readiness(self) -> int | None:
        return await status_of(self._options.host, self._options.port, "/readyz")

    async def _stop_all(self) -> None:
        """Stop the API and the worker before the engines, which they need to finish."""
        seconds = self._options.stop_seconds
        # lint: allow untracked-task - a group would cancel the others' stop when one fails
        await asyncio.gather(self._postgres.checkpoint(), *(child.stop(seconds) for child in self._children))
        # lint: allow untracked-task - as above
        await asyncio.gather(self._postgres.stop(), self._valkey.stop())
        if self._lock.held:
            forget_endpoints(self._options.data_dir)
            self._lock.release()
