"""Compares and restores all data of a project, as the superuser, to whom no policy applies."""

from __future__ import annotations

import hashlib
from collections.abc import AsyncIterator, Mapping, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Final
from uuid import UUID

import asyncpg
import orjson
from pydantic import JsonValue
from redis.asyncio import Redis

from partywall.testing.engines import DatabaseUrls
from partywall.testing.isolation.rows import MOMENTARY
from partywall.testing.users import NUMBER_PENDING_EVENTS

type Pool = asyncpg.Pool[asyncpg.Record]
type Fingerprint = Mapping[str, str]

_COLUMNS: Final = """
    SELECT c.relname AS table, a.attname AS column
    FROM pg_class AS c JOIN pg_namespace AS n ON n.oid = c.relnamespace AND n.nspname = 'public'
        JOIN pg_attribute AS a ON a.attrelid = c.oid AND a.attnum > 0 AND NOT a.attisdropped
    WHERE c.relkind IN ('r', 'p') AND NOT c.relispartition AND a.attname IN ('project_id', 'account_id')
    ORDER BY c.relname
"""
# $1: the project, $2: the accounts of its users, $3: the ids that a job's payload may name.
_NAMED: Final = "EXISTS (SELECT FROM unnest($3::text[]) AS named WHERE position(named IN {payload}) > 0)"
_PARTICULAR: Final = {
    "project": "t.id = $1",
    "account": "t.id = ANY ($2::uuid[])",
    "idempotency_key": "t.project_id = $1 OR t.principal = ANY (SELECT 'user:' || a FROM unnest($2::uuid[]) AS a)",
    # Wrong passwords of others are recorded with the account that they were tried on.
    "account_audit": "t.account_id = ANY ($2::uuid[]) AND t.actor IS NOT NULL",
    # The id of the request that caused the job is the client's.
    "job": _NAMED.format(payload="(t.payload - 'request_id')::text"),
}
_BY_COLUMN: Final = {"project_id": "t.project_id = $1", "account_id": "t.account_id = ANY ($2::uuid[])"}


@dataclass(frozen=True, slots=True)
class Belongings:
    """What to compare: a project, its users' accounts and the ids of its resources."""

    project: UUID
    accounts: tuple[UUID, ...]
    ids: tuple[str, ...] = ()

    @property
    def values(self) -> tuple[UUID, list[UUID], list[str]]:
        return self.project, [*self.accounts], [str(self.project), *self.ids]


@dataclass(frozen=True, slots=True)
class Superuser:
    pool: Pool
    cache: Redis
    blobs: Path
    project_tables: tuple[str, ...]
    conditions: Mapping[str, str]

    async def execute(self, sql: str, *values: object) -> str:
        return str(await self.pool.execute(sql, *values))

    async def value(self, sql: str, *values: object) -> object:
        return await self.pool.fetchval(sql, *values)

    async def fetch(self, sql: str, *values: object) -> list[asyncpg.Record]:
        return list(await self.pool.fetch(sql, *values))

    async def counts(self, project: UUID) -> dict[str, int]:
        """The number of the project's rows in each table with a `project_id`."""
        await self.execute(NUMBER_PENDING_EVENTS)
        # The names come from the catalogue.
        queries = [
            f"SELECT '{name}' AS name, count(*) AS rows FROM public.\"{name}\" WHERE project_id = $1"  # noqa: S608 - see above
            for name in self.project_tables
        ]
        return {row["name"]: row["rows"] for row in await self.fetch(" UNION ALL ".join(queries), project)}

    async def fingerprint(self, of: Belongings) -> Fingerprint:
        """A checksum for every table, the blobs and the cache."""
        await self.execute(NUMBER_PENDING_EVENTS)
        # All conditions use the same three parameters, so that one statement can hold them.
        queries = [
            f"SELECT '{name}' AS name, md5(coalesce(string_agg(t::text, E'\\n' ORDER BY t::text), '')) AS sum"  # noqa: S608 - names of the catalogue, constant conditions
            f' FROM public."{name}" AS t WHERE {condition} AND {_TYPED}'
            for name, condition in self._conditions()
        ]
        sums = {row["name"]: row["sum"] for row in await self.fetch(" UNION ALL ".join(queries), *of.values)}
        return {**sums, "blobs": self._blobs(of.project), "cache": await self._keys(of.project)}

    async def rows(self, of: Belongings) -> dict[str, list[str]]:
        """Every row in PostgreSQL's text format, so that it can be restored."""
        await self.execute(NUMBER_PENDING_EVENTS)
        return {
            name: [
                row["text"]
                for row in await self.fetch(
                    f'SELECT t::text AS text FROM public."{name}" AS t WHERE {condition} AND {_TYPED}',  # noqa: S608 - as above
                    *of.values,
                )
            ]
            for name, condition in self._conditions()
        }

    async def leaves(self, of: Belongings) -> set[str]:
        """Every value in those rows, as text, except vectors."""
        found: set[str] = set()
        for name, condition in self._conditions():
            if name == "embedding":
                continue
            sql = f'SELECT to_jsonb(t)::text AS row FROM public."{name}" AS t WHERE {condition} AND {_TYPED}'  # noqa: S608 - as above
            for row in await self.fetch(sql, *of.values):
                found.update(*(leaves(each) for each in orjson.loads(row["row"]).values()))
        return found

    async def restore(self, of: Belongings, rows: Mapping[str, Sequence[str]]) -> None:
        """Restores rows that `rows()` has read and deletes newer ones."""
        async with self.pool.acquire() as connection, connection.transaction():
            await connection.execute(NUMBER_PENDING_EVENTS)
            # Triggers and foreign keys must not affect restored rows.
            await connection.execute("SET LOCAL session_replication_role = replica")
            for name, condition in self._conditions():
                sql = f'DELETE FROM public."{name}" AS t WHERE {condition} AND {_TYPED}'  # noqa: S608 - as above
                await connection.execute(sql, *of.values)
            for name in rows:
                sql = (
                    f'INSERT INTO public."{name}" OVERRIDING SYSTEM VALUE'  # noqa: S608 - as above
                    f' SELECT (given.row).* FROM (SELECT text::public."{name}" AS row FROM unnest($1::text[]) AS text)'
                    " AS given ON CONFLICT DO NOTHING"
                )
                await connection.execute(sql, list(rows[name]))

    def _conditions(self) -> list[tuple[str, str]]:
        return [(name, f"({condition})") for name, condition in self.conditions.items()]

    def _blobs(self, project: UUID) -> str:
        files = sorted(each for each in (self.blobs / str(project)).rglob("*") if each.is_file())
        digest = hashlib.sha256()
        for each in files:
            digest.update(f"{each.relative_to(self.blobs)}\0".encode() + hashlib.sha256(each.read_bytes()).digest())
        return digest.hexdigest()

    async def _keys(self, project: UUID) -> str:
        """The keys of the cache that name the project; announcements are messages and leave none."""
        keys = sorted([key async for key in self.cache.scan_iter(match=f"*{project}*", count=1000)])
        digest = hashlib.sha256()
        for key in keys:
            digest.update(key + b"\0" + (await self.cache.dump(key) or b""))
        return digest.hexdigest()


# Names all three parameters, so that PostgreSQL knows their types even if a condition does not use them.
_TYPED: Final = "($1::uuid, $2::uuid[], $3::text[]) IS NOT NULL"


def leaves(value: JsonValue) -> set[str]:
    """The scalars of a JSON value as text, and the names of its members."""
    if isinstance(value, dict):
        return set(value).union(*(leaves(each) for each in value.values()))
    if isinstance(value, list):
        return set[str]().union(*(leaves(each) for each in value))
    return set() if value is None or isinstance(value, bool) else {str(value)}


@asynccontextmanager
async def open_superuser(urls: DatabaseUrls, cache: Redis, blobs: Path) -> AsyncIterator[Superuser]:
    pool = await asyncpg.create_pool(DatabaseUrls.dsn(urls.superuser), min_size=1, max_size=3)
    try:
        found = [row for row in await pool.fetch(_COLUMNS) if row["table"] not in MOMENTARY]
        projects = tuple(row["table"] for row in found if row["column"] == "project_id")
        accounts = tuple(row["table"] for row in found if row["column"] == "account_id")
        conditions = dict.fromkeys(accounts, _BY_COLUMN["account_id"]) | dict.fromkeys(
            projects, _BY_COLUMN["project_id"]
        )
        yield Superuser(pool, cache, blobs, projects, conditions | _PARTICULAR)
    finally:
        await pool.close()
