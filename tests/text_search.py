"""Searches for a text in every column of every table, every file of a directory and every key of the cache."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from uuid import UUID

from redis.asyncio import Redis

from partywall.core.jobs.kinds import JobHandler
from partywall.core.resources import Resources
from partywall.testing.conditions import until
from partywall.testing.engines import DatabaseUrls
from partywall.testing.users import Users
from partywall.testing.workers import working

_TABLES = """
    SELECT c.oid::regclass::text AS name FROM pg_class AS c JOIN pg_namespace AS n ON n.oid = c.relnamespace
    WHERE c.relkind IN ('r', 'p', 'm') AND n.nspname NOT IN ('pg_catalog', 'information_schema', 'pg_toast')
"""


async def in_tables(users: Users, *texts: str) -> dict[str, int]:
    """The number of rows, by table, that contain one of the texts, also as bytes."""
    patterns = [f"%{form}%" for text in texts for form in (text, text.encode().hex())]
    found = {}
    for [name] in await users.fetch(_TABLES):
        query = f"SELECT count(*) FROM {name} AS t WHERE t::text ILIKE ANY ($1)"  # noqa: S608 - a name of the catalogue
        [[rows]] = await users.fetch(query, patterns)
        if rows:
            found[str(name)] = int(rows)
    return found


def in_files(root: Path, *texts: str) -> list[str]:
    """Paths with one of the texts in their name or content."""
    return [
        str(path)
        for path in root.rglob("*")
        if any(text in path.name or (path.is_file() and text.encode() in path.read_bytes()) for text in texts)
    ]


async def in_cache(cache: Redis, *texts: str) -> list[str]:
    """Keys with one of the texts in their name or value."""
    found = []
    async for key in cache.scan_iter():
        value = await cache.get(key) if await cache.type(key) == b"string" else b""
        if any(text.encode() in key or text.encode() in (value or b"") for text in texts):
            found.append(key.decode())
    return found


async def work_off(
    users: Users, resources: Resources, database: DatabaseUrls, handlers: Sequence[JobHandler], project: UUID
) -> None:
    """Runs a worker until it has done the project's jobs of these kinds."""
    kinds = [handler.kind.name for handler in handlers]
    query = "SELECT count(*) FROM job WHERE kind = ANY ($1) AND project_id = $2 AND state <> 'dead_letter'"

    async def idle() -> bool:
        [[left]] = await users.fetch(query, kinds, project)
        return int(left) == 0

    async with working(resources, handlers):
        await until(idle)
