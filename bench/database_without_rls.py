"""A copy of the database without row-level security, in the same PostgreSQL."""

from __future__ import annotations

from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass, replace
from pathlib import Path

import asyncpg
from sqlalchemy import make_url

from bench.deployment import Deployment
from partywall.core.db.engine import asyncpg_dsn

CLONE = "partywall_without_wall"
GUARDED = """
    SELECT oid::regclass::text FROM pg_class
    WHERE relnamespace = 'public'::regnamespace AND (relrowsecurity OR relforcerowsecurity) ORDER BY 1
"""
# Indexes of rows that a policy shows. Without the policy's condition, statements could not use them.
CONDITION = " WHERE (deleted_at IS NULL)"
PARTIAL = "SELECT indexname, indexdef FROM pg_indexes WHERE schemaname = 'public' AND right(indexdef, length($1)) = $1"


def moved(url: str, database: str) -> str:
    """The URL of another database in the same cluster."""
    return make_url(url).set(database=database).render_as_string(hide_password=False)


@asynccontextmanager
async def superuser(deployment: Deployment, database: str | None = None) -> AsyncIterator[asyncpg.Connection]:
    url = deployment.superuser_url if database is None else moved(deployment.superuser_url, database)
    connection = await asyncpg.connect(asyncpg_dsn(url))
    try:
        yield connection
    finally:
        await connection.close()


async def clone_without_rls(deployment: Deployment) -> Deployment:
    """Copies the database without its policies. The original must have no connections."""
    runtime = make_url(deployment.environment["DATABASE__URL"])
    async with superuser(deployment, "postgres") as connection:
        await connection.execute(f'CREATE DATABASE "{CLONE}" TEMPLATE "{runtime.database}" STRATEGY FILE_COPY')
        await connection.execute(f'GRANT CONNECT ON DATABASE "{CLONE}" TO "{runtime.username}"')
    clone = replace(
        deployment,
        superuser_url=moved(deployment.superuser_url, CLONE),
        # A separate cache database: both have the same project ids.
        environment={
            **deployment.environment,
            "DATABASE__URL": moved(deployment.environment["DATABASE__URL"], CLONE),
            "CACHE__URL": deployment.environment["CACHE__URL"].replace("db=0", "db=1"),
        },
    )
    guarded = await guarded_tables(clone)
    async with superuser(clone) as connection:
        for table in guarded:
            await connection.execute(f"ALTER TABLE {table} DISABLE ROW LEVEL SECURITY, NO FORCE ROW LEVEL SECURITY")
        await widen_indexes(connection)
    return clone


async def widen_indexes(connection: asyncpg.Connection) -> None:
    """Rebuilds the partial indexes over all rows, so that both sides can use them."""
    found = await connection.fetch(PARTIAL, CONDITION)
    assert found, "no index has the policy's condition"
    for name, definition in found:
        await connection.execute(f'DROP INDEX "{name}"')
        await connection.execute(definition.removesuffix(CONDITION))


async def guarded_tables(deployment: Deployment) -> list[str]:
    """Tables with row-level security."""
    async with superuser(deployment) as connection:
        return [row[0] for row in await connection.fetch(GUARDED)]


async def vacuum(deployment: Deployment) -> None:
    """Does what autovacuum would have done by now."""
    async with superuser(deployment) as connection:
        await connection.execute("VACUUM ANALYZE")


async def backends(deployment: Deployment) -> list[int]:
    """Pids of the backends that serve the API."""
    async with superuser(deployment) as connection:
        rows = await connection.fetch(
            "SELECT pid FROM pg_stat_activity WHERE datname = current_database() AND pid <> pg_backend_pid()"
            " AND backend_type = 'client backend'"
        )
        return [row["pid"] for row in rows]


@dataclass(frozen=True, slots=True)
class Used:
    """CPU-seconds by pid; `since` counts only processes that exist at both times."""

    at: dict[int, float]

    def since(self, before: Used) -> float:
        return sum(seconds - before.at[pid] for pid, seconds in self.at.items() if pid in before.at)


def used(pids: Sequence[int]) -> Used:
    return Used({pid: _nanoseconds(pid) / 1e9 for pid in pids if Path(f"/proc/{pid}/schedstat").exists()})


def _nanoseconds(pid: int) -> int:
    """Finer than the clock ticks of `stat`, which are too coarse for a short round."""
    return int(Path(f"/proc/{pid}/schedstat").read_text().split()[0])
