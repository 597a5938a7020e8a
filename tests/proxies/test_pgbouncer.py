"""Behind PgBouncer in transaction mode, as configured in docs/how-to/pgbouncer.md, with two server connections."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from contextlib import AsyncExitStack
from dataclasses import dataclass
from uuid import uuid4

import asyncpg
import pytest
from httpx2 import AsyncClient
from pydantic import SecretStr
from sqlalchemy import make_url

from partywall.commands.postgres import require_postgres
from partywall.commands.usage_error import UsageError
from partywall.core.db.engine import create_engine, create_read_pool, server_settings
from partywall.core.db.migrate import migrate
from partywall.core.db.session import Sessions
from partywall.features.search.feature import feature
from partywall.settings import Settings
from partywall.testing.conditions import until
from partywall.testing.engines import DatabaseUrls, Urls, create_database, new_database, superuser
from partywall.testing.users import Users
from partywall.testing.workers import working
from tests.features.live.server import Serving, serve
from tests.features.live.sse import follow
from tests.proxies.bouncer import bouncer
from tests.proxies.programs import require_program

SERVERS = 2
# Settings that PgBouncer itself carries from one connection to the next.
CARRIED = ["application_name", "client_encoding", "DateStyle", "TimeZone", "standard_conforming_strings"]
LEFT_BEHIND = """
    SELECT pg_backend_pid() AS pid, concat_ws(
        ' ',
        NULLIF(current_setting('partywall.principal', true), ''),
        NULLIF(current_setting('partywall.project', true), ''),
        NULLIF(current_user, session_user),
        (SELECT string_agg(name || '=' || setting, ' ') FROM pg_settings
         WHERE setting IS DISTINCT FROM reset_val AND source = 'session' AND name <> ALL ($1)),
        (SELECT string_agg(statement, ' ') FROM pg_prepared_statements WHERE name <> ''),
        (SELECT string_agg(channel, ' ') FROM pg_listening_channels() AS channel),
        (SELECT string_agg(mode, ' ') FROM pg_locks WHERE locktype = 'advisory' AND pid = pg_backend_pid())
    ) AS left_behind
"""

LOCKS = """
    SELECT count(*) FROM pg_locks JOIN pg_stat_activity USING (pid) WHERE locktype = 'advisory' AND datname = $1
"""


@dataclass(frozen=True, slots=True)
class Pooled:
    direct: DatabaseUrls
    pooled: DatabaseUrls
    settings: Settings

    async def left_behind(self) -> dict[int, str]:
        """The settings left on each of PgBouncer's connections, by process; all of them are held at once."""
        async with AsyncExitStack() as stack:
            found: dict[int, str] = {}
            for _ in range(SERVERS):
                connection = await asyncpg.connect(DatabaseUrls.dsn(self.pooled.runtime), statement_cache_size=0)
                stack.push_async_callback(connection.close)
                await stack.enter_async_context(connection.transaction())
                row = await connection.fetchrow(LEFT_BEHIND, CARRIED)
                found[row["pid"]] = row["left_behind"]
            return found


@pytest.fixture(scope="module")
async def pooled(engines: Urls, settings: Settings) -> AsyncIterator[Pooled]:
    program = require_program("pgbouncer")
    direct = await new_database(engines, "pooled")
    async with superuser(direct) as asking:  # asyncpg turns it off for a moment where it is on
        await asking.execute(f'ALTER DATABASE "{make_url(direct.runtime).database}" SET jit = on')
    async with bouncer(program, direct, default_pool_size=str(SERVERS)) as through:
        urls = {"url": through.runtime, "direct_url": direct.runtime, "pool_size": 4, "pool_overflow": 0}
        database = type(settings.database).model_validate({"engine": "server", **urls})
        yield Pooled(direct, through, settings.model_copy(update={"database": database}))


@pytest.fixture(scope="module")
async def server(pooled: Pooled) -> AsyncIterator[Serving]:
    async with serve(pooled.settings) as served:
        yield served


@pytest.fixture(scope="module")
async def everyone(server: Serving, pooled: Pooled) -> AsyncIterator[Users]:
    async with Users(server.app, server.resources, pooled.direct) as users:
        yield users


async def test_startup_parameters_are_known_to_every_pooler(pooled: Pooled) -> None:
    """The direct connection sends more, which PgBouncer refuses unless its configuration ignores it."""
    options = server_settings("tests", **pooled.settings.database.limits_ms())
    with pytest.raises(asyncpg.PostgresError, match="unsupported startup parameter"):
        await create_read_pool(pooled.pooled.runtime, size=1, settings=options)
    reads = await create_read_pool(pooled.pooled.runtime, size=1, settings=options, pooled=True)
    assert await reads.fetchval("SELECT 1") == 1
    reads.terminate()


@pytest.mark.parametrize("ignored", ["", "statement_timeout, idle_in_transaction_session_timeout, lock_timeout"])
async def test_an_undeclared_pooler_is_refused(pooled: Pooled, ignored: str) -> None:
    """Named statements would collide there, even where its configuration lets the parameters pass."""
    options = server_settings("tests", 15_000, lock_timeout=5000)
    async with bouncer(require_program("pgbouncer"), pooled.direct, ignore_startup_parameters=ignored) as through:
        with pytest.raises(UsageError, match="there is a pooler in between: set DATABASE__DIRECT_URL"):
            await require_postgres("DATABASE__URL", SecretStr(through.runtime), direct=options)
    assert await require_postgres("DATABASE__URL", SecretStr(pooled.direct.runtime), direct=options)


LIMITS = {
    "statement_timeout": "4321",
    "idle_in_transaction_session_timeout": "15000",
    "lock_timeout": "1234",
    "transaction_timeout": "23456",
}
SHOWN = "SELECT name, setting FROM pg_settings WHERE name = ANY ($1)"


async def test_limits_apply_per_transaction_and_do_not_leak(pooled: Pooled) -> None:
    options = server_settings("tests", 4321, lock_timeout=1234, transaction_timeout=23456)
    engine = create_engine(pooled.pooled.runtime, pool_size=1, overflow=0, settings=options, pooled=True)
    reads = await create_read_pool(pooled.pooled.runtime, size=1, settings=options, pooled=True)
    sessions = Sessions(engine)
    for opened in (sessions.begin, sessions.read):
        async with opened() as session:
            rows = await (await session.connection()).exec_driver_sql(SHOWN, (list(LIMITS),))
            assert {row["name"]: row["setting"] for row in rows.mappings()} == LIMITS
    assert dict(await reads.fetch(SHOWN, list(LIMITS))) == LIMITS
    reads.terminate()
    await engine.dispose()
    assert set((await pooled.left_behind()).values()) == {""}


@pytest.mark.parametrize(
    ("limit_ms", "max_wait", "refusal"), [(50, None, asyncpg.QueryCanceledError), (20_000, 0.05, TimeoutError)]
)
async def test_a_statement_that_takes_too_long_is_cancelled(
    pooled: Pooled, limit_ms: int, max_wait: float | None, refusal: type[Exception]
) -> None:
    options = server_settings("tests", limit_ms)
    reads = await create_read_pool(pooled.pooled.runtime, size=1, settings=options, pooled=True)
    with pytest.raises(refusal):
        await reads.fetchrow("SELECT pg_sleep(30)", timeout=max_wait)
    assert await reads.fetch("SELECT 1") == [(1,)]
    reads.terminate()


async def test_the_main_paths_work_and_leave_nothing_behind(pooled: Pooled, server: Serving, everyone: Users) -> None:
    async with AsyncClient(base_url=server.url, timeout=60) as client:
        await _register_and_log_in(client)
        project = (await client.post("/api/v1/projects", json={"name": "Pooled"})).json()["id"]
        base = f"/api/v1/projects/{project}"
        document = await _write_documents(client, base)
        async with working(server.resources, feature.jobs):
            await until(lambda: _is_indexed(client, f"{base}/documents/{document}"))
        for mode in ("text", "vector", "hybrid"):
            hits = (await client.get(f"{base}/search", params={"q": "late parcel", "mode": mode})).json()["items"]
            assert document in [hit["document_id"] for hit in hits], mode
        token = client.headers["Authorization"].removeprefix("Bearer ")
        async with follow(server.url, project, token, after=0) as stream:
            assert (await stream.next()).event == "project.created"
        key = (await client.post(f"{base}/api-keys", json={"name": "k", "role": "viewer"})).json()["secret"]
        seen = await client.get(f"{base}/documents/{document}", headers={"Authorization": f"Bearer {key}"})
        assert seen.status_code == 200
        assert (await client.delete(base)).status_code == 204
    left = await pooled.left_behind()
    assert len(left) == SERVERS
    assert set(left.values()) == {""}


async def _register_and_log_in(client: AsyncClient) -> None:
    form = {"username": "ada@example.com", "password": "correct horse battery staple"}
    account = {"email": form["username"], "password": form["password"]}
    assert (await client.post("/api/v1/auth/register", json=account)).status_code == 202
    tokens = (await client.post("/api/v1/auth/token", data={"grant_type": "password", **form})).json()
    again = {"grant_type": "refresh_token", "refresh_token": tokens["refresh_token"]}
    tokens = (await client.post("/api/v1/auth/token", data=again)).json()
    client.headers["Authorization"] = f"Bearer {tokens['access_token']}"


async def _write_documents(client: AsyncClient, base: str) -> str:
    """By each way in: the fast path, with a key, in a batch, as a file; and changes one."""
    body = {"title": "Parcels", "content": "A parcel that arrives late is refunded."}
    made = await client.post(f"{base}/documents", json=body)
    assert made.status_code == 201, made.text
    path = f"{base}/documents/{made.json()['id']}"
    for _ in range(2):
        keyed = await client.post(f"{base}/documents", json=body, headers={"Idempotency-Key": "once"})
        assert keyed.status_code == 201, keyed.text
    assert (await client.post(f"{base}/documents/batch", json={"documents": [body, body]})).status_code == 201
    file = {"file": ("late.md", b"# Late parcels", "text/markdown")}
    assert (await client.post(f"{base}/documents/upload", files=file)).status_code == 201
    changed = await client.patch(path, json={"metadata": {"a": 1}}, headers={"If-Match": made.headers["ETag"]})
    assert changed.status_code == 200, changed.text
    listed = (await client.get(f"{base}/documents", params={"offset": 0})).json()
    assert listed["total"] == 5
    return str(made.json()["id"])


async def _is_indexed(client: AsyncClient, path: str) -> bool:
    answer = await client.get(path)
    return bool(answer.json()["index_status"] == "indexed")


async def test_concurrent_tenants_on_shared_connections_see_only_their_own_data(
    everyone: Users, pooled: Pooled
) -> None:
    """Each reads, writes and fails in turn, on connections that the others have just used."""
    alike = [await everyone.person() for _ in range(4)]
    projects = [await person.project(f"of {number}") for number, person in enumerate(alike)]

    async def work_alone(number: int) -> None:
        mine, client = f"/api/v1/projects/{projects[number]}", alike[number].client
        foreign = f"/api/v1/projects/{projects[number - 1]}"
        for turn in range(6):
            body = {"title": f"{number}.{turn}", "content": "x"}
            made = await client.post(f"{mine}/documents", json=body, headers={"Idempotency-Key": body["title"]})
            assert made.status_code == 201, made.text
            assert (await client.get(f"{foreign}/documents")).status_code == 404
            assert (await client.post(f"{foreign}/documents", json=body)).status_code == 404
            titles = {item["title"] for item in (await client.get(f"{mine}/documents")).json()["items"]}
            assert titles == {f"{number}.{each}" for each in range(turn + 1)}
            assert [each["name"] for each in (await client.get("/api/v1/projects")).json()["items"]] == [f"of {number}"]

    async with asyncio.TaskGroup() as group:
        for number in range(len(alike)):
            group.create_task(work_alone(number))
    assert set((await pooled.left_behind()).values()) == {""}


async def test_migrations_run_through_the_pooler(engines: Urls) -> None:
    """By two deploys at once, which take turns."""
    name = f"partywall_through_a_pooler_{uuid4().hex[:12]}"
    await create_database(engines, name)
    direct = engines.database(name)
    program = require_program("pgbouncer")
    async with superuser(direct) as asking, bouncer(program, direct, default_pool_size="4") as through:
        for extension in ("vector", "pg_trgm", "unaccent", "btree_gin"):
            await asking.execute(f"CREATE EXTENSION IF NOT EXISTS {extension}")
        await asyncio.gather(*(migrate(through.owner, through.runtime) for _ in range(2)))
        assert await asking.fetchval("SELECT to_regclass('document') IS NOT NULL")
        assert await asking.fetchval(LOCKS, name) == 0
