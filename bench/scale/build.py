"""Builds the data: projects through the API, their documents by COPY, and what triggers and indexing add to them."""

from __future__ import annotations

import time
from collections.abc import AsyncIterator, Awaitable, Sequence
from contextlib import asynccontextmanager
from typing import Final
from uuid import UUID

import asyncpg

from bench.scale.fill import Filler
from bench.scale.language import Language
from bench.scale.terms import terms_of

# Made again afterwards: a row at a time would take hours.
_DROPPED: Final = ("posting", "embedding", "document_value")
_INDEXES: Final = """
SELECT indexname, indexdef FROM pg_indexes WHERE schemaname = 'public' AND tablename = ANY ($1)
    AND NOT EXISTS (SELECT FROM pg_constraint WHERE conname = indexname)
"""
_DERIVED: Final = (
    """
    INSERT INTO document_version (project_id, document_id, number, title, size, content_sha256, created_by, created_at)
    SELECT project_id, id, version, title, size, content_sha256, created_by, created_at FROM document
    WHERE project_id = ANY ($1)
    """,
    """
    INSERT INTO document_value (project_id, document_id, name, value)
    WITH known AS MATERIALIZED (
        SELECT metadata, name, value FROM (SELECT DISTINCT metadata FROM document WHERE project_id = ANY ($1)) AS given
        CROSS JOIN LATERAL wall.metadata_values(metadata)
    )
    SELECT project_id, id, name, value FROM document JOIN known USING (metadata) WHERE project_id = ANY ($1)
    """,
    """
    INSERT INTO project_usage (project_id, documents, bytes)
    SELECT project_id, count(*), sum(wall.bytes_of(size, original_size, history_bytes, metadata)) FROM document
    WHERE project_id = ANY ($1) GROUP BY project_id
    """,
)
_NEXT_CHUNK: Final = "SELECT setval(pg_get_serial_sequence('chunk', 'number'), $1)"


@asynccontextmanager
async def superuser(dsn: str) -> AsyncIterator[asyncpg.Connection]:
    connection = await asyncpg.connect(dsn)
    try:
        yield connection
    finally:
        await connection.close()


async def build(dsn: str, language: Language, projects: Sequence[tuple[UUID, int]], author: str) -> None:
    """Fills empty projects, each with so many passages."""
    async with superuser(dsn) as connection:
        await connection.execute("SET session_replication_role = replica; SET synchronous_commit = off")
        await connection.execute("SET maintenance_work_mem = '2GB'; SET max_parallel_maintenance_workers = 1")
        filler = Filler(connection, language, await terms_of(connection, language.words))
        filler.next_chunk = 1 + (await connection.fetchval("SELECT max(number) FROM chunk") or 0)
        indexes = await connection.fetch(_INDEXES, list(_DROPPED))
        for name, _ in indexes:
            await connection.execute(f'DROP INDEX "{name}"')
        for place, (project, count) in enumerate(projects):
            await _timed(f"project of {count:,}", filler.fill(project, place, count, author))
        await connection.execute(_NEXT_CHUNK, filler.next_chunk)
        for statement in _DERIVED:
            await _timed(statement.split()[2], connection.execute(statement, [project for project, _ in projects]))
        for name, definition in indexes:
            await _timed(name, connection.execute(definition))
        await _timed("VACUUM", connection.execute("VACUUM (ANALYZE)"))


async def _timed(what: str, work: Awaitable[object]) -> None:
    began = time.perf_counter()
    await work
    if (seconds := time.perf_counter() - began) > 1:
        print(f"  {what}: {seconds:.0f} s", flush=True)
