"""One PostgreSQL for the whole test run, shared by every xdist worker, and one Valkey per worker.

A worker has its own databases, but Valkey delivers a message in all of its databases.
"""

from __future__ import annotations

import asyncio
import json
import os
from collections.abc import AsyncIterator, Sequence
from contextlib import AsyncExitStack, asynccontextmanager
from dataclasses import asdict, dataclass, replace
from pathlib import Path
from uuid import uuid4

import asyncpg
from filelock import AsyncFileLock

from partywall.adapters.embedded.engine import EmbeddedEngine
from partywall.adapters.embedded.postgres import EmbeddedPostgres
from partywall.adapters.embedded.valkey import EmbeddedValkey
from partywall.extensions.enabled import enabled_features
from partywall.extensions.migrations import migrate_all

TEMPLATE = "partywall_template"
OWNER = "partywall_owner"
RUNTIME = "partywall_app"
SUPERUSER = "postgres"
# Names a file with the `Urls` of separately started engines on which to run the tests.
APART = "PARTYWALL_TEST_ENGINES"
FAST = {"fsync": "off", "synchronous_commit": "off", "full_page_writes": "off", "max_connections": "300"}


@dataclass(frozen=True, slots=True)
class Urls:
    """The cache's URL, and SQLAlchemy URLs with a placeholder `{database}`."""

    runtime: str
    owner: str
    superuser: str
    cache: str = ""
    template: str = TEMPLATE

    def database(self, name: str) -> DatabaseUrls:
        return DatabaseUrls(
            self.runtime.format(database=name), self.owner.format(database=name), self.superuser.format(database=name)
        )


@dataclass(frozen=True, slots=True)
class DatabaseUrls:
    runtime: str
    owner: str
    superuser: str

    @staticmethod
    def dsn(url: str) -> str:
        """The same URL for asyncpg."""
        return url.replace("postgresql+asyncpg:", "postgresql:", 1)


type Superuser = asyncpg.Pool[asyncpg.Record]


@asynccontextmanager
async def superuser(database: DatabaseUrls) -> AsyncIterator[Superuser]:
    """A pool: opening a connection costs both sides a password check, which takes longer than most tests' queries.

    Settings that a borrower makes on a connection are reset when it is returned.
    """
    async with asyncpg.create_pool(DatabaseUrls.dsn(database.superuser), min_size=0, max_size=20) as pool:
        yield pool


async def create_database(urls: Urls, name: str, template: str | None = None) -> None:
    connection = await asyncpg.connect(DatabaseUrls.dsn(urls.superuser.format(database="postgres")))
    try:
        origin = f'TEMPLATE "{template}"' if template else ""
        await connection.execute(f'CREATE DATABASE "{name}" OWNER {OWNER} {origin} STRATEGY WAL_LOG')
        await connection.execute(f'REVOKE ALL ON DATABASE "{name}" FROM PUBLIC')
        await connection.execute(f'GRANT CONNECT ON DATABASE "{name}" TO {RUNTIME}')
    finally:
        await connection.close()


async def create_extensions(database: DatabaseUrls) -> None:
    connection = await asyncpg.connect(DatabaseUrls.dsn(database.superuser))
    for extension in ("vector", "pg_trgm", "unaccent", "btree_gin"):
        await connection.execute(f"CREATE EXTENSION IF NOT EXISTS {extension}")
    await connection.close()


async def new_database(urls: Urls, purpose: str) -> DatabaseUrls:
    """A migrated database with a new name: a worker that takes over another's tests may need a second one."""
    name = f"partywall_{purpose}_{uuid4().hex[:12]}"
    await create_database(urls, name, urls.template)
    return urls.database(name)


async def _create_template(urls: Urls, features: Sequence[str]) -> None:
    await create_database(urls, urls.template)
    database = urls.database(urls.template)
    await create_extensions(database)
    await migrate_all(database.owner, database.runtime, "head", enabled_features(tuple(features)))


def _open(postgres: EmbeddedPostgres) -> Urls:
    return Urls(
        postgres.url(RUNTIME, "{database}"), postgres.url(OWNER, "{database}"), postgres.url(SUPERUSER, "{database}")
    )


@asynccontextmanager
async def shared_engines(directory: Path, features: Sequence[str] = ()) -> AsyncIterator[Urls]:
    """The first worker starts PostgreSQL and stops it when no one uses it; a late worker starts its own.

    New databases have the tables of the enabled features.
    """
    if APART in os.environ:
        yield await _apart(Path(os.environ[APART]), features)
        return
    users = directory / "users"
    users.mkdir(parents=True, exist_ok=True)
    me = users / str(os.getpid())
    facts = directory / "urls.json"
    lock = AsyncFileLock(directory / "lock")
    async with AsyncExitStack() as own:
        async with lock:
            if not facts.exists():
                postgres = await _started(own, EmbeddedPostgres(directory / f"data-{os.getpid()}", settings=FAST))
                await _create_template(_open(postgres), features)
                facts.write_text(json.dumps(asdict(_open(postgres))))
                own.push_async_callback(_retire, users, facts, lock)
            me.touch()
        try:
            async with AsyncExitStack() as alone:
                valkey = await _started(alone, EmbeddedValkey(directory / f"cache-{os.getpid()}"))
                yield replace(Urls(**json.loads(facts.read_text())), cache=valkey.url)
        finally:
            me.unlink()


async def _apart(facts: Path, features: Sequence[str]) -> Urls:
    urls = Urls(**json.loads(facts.read_text()))
    urls = replace(urls, template="_".join((TEMPLATE, *features)))
    connection = await asyncpg.connect(DatabaseUrls.dsn(urls.superuser.format(database="postgres")))
    await connection.execute(f'DROP DATABASE IF EXISTS "{urls.template}"')
    await connection.close()
    await _create_template(urls, features)
    return urls


async def _started[E: EmbeddedEngine](stack: AsyncExitStack, engine: E) -> E:
    stack.callback(engine.remove)
    await stack.enter_async_context(engine)
    return engine


async def _retire(users: Path, facts: Path, lock: AsyncFileLock) -> None:
    """Waits until no process uses the engines, then makes sure that no process finds them."""
    while True:
        async with lock:
            if not any(users.iterdir()):
                facts.unlink()
                return
        await asyncio.sleep(0.1)
