"""Creates the HNSW indexes of vectors with other dimensions than the bundled model's, as the owner of the tables."""

from __future__ import annotations

from typing import Final

from sqlalchemy import text
from sqlalchemy.ext.asyncio import AsyncConnection

from partywall.core.db import engine as engines
from partywall.features.search.models import hnsw_index

# Until its index is valid, a dimension's vectors are compared one by one.
# lint: allow project-filter - which dimensions exist, in all projects
_LACKING: Final = text("""
    SELECT used.dimension, found.oid IS NOT NULL AS broken
    FROM (
        SELECT dimension FROM search_index WHERE status <> 'retired'
        UNION SELECT unnest(CAST(:wanted AS integer[]))
    ) AS used (dimension)
    LEFT JOIN pg_class AS found ON found.oid = to_regclass('embedding_hnsw_' || used.dimension)
    LEFT JOIN pg_index ON indexrelid = found.oid
    WHERE indisvalid IS NOT TRUE ORDER BY used.dimension
""")


async def create_missing(owner_url: str, wanted: int | None) -> list[str]:
    """Creates those of the dimensions in use and of the `wanted` one, while others write; one line for each."""
    engine = engines.create_engine(owner_url, pool_size=1, overflow=0, settings={"lock_timeout": "0"}, pooled=True)
    try:
        async with engine.connect() as opened:
            connection = await opened.execution_options(isolation_level="AUTOCOMMIT")
            rows = (await connection.execute(_LACKING, {"wanted": [] if wanted is None else [wanted]})).all()
            return [await _create(connection, row.dimension, broken=row.broken) for row in rows]
    finally:
        await engine.dispose()


async def _create(connection: AsyncConnection, dimension: int, *, broken: bool) -> str:
    """A `broken` one was left by a command that did not finish; one that is being built is built once more."""
    name = hnsw_index(dimension)
    if broken:
        statement = f"REINDEX INDEX CONCURRENTLY {name}"
    else:
        statement = (
            f"CREATE INDEX CONCURRENTLY IF NOT EXISTS {name} ON embedding USING hnsw"
            f" ((embedding::halfvec({dimension})) halfvec_cosine_ops) WHERE dimension = {dimension} AND approximate"
        )
    # lint: allow sql-text - composed of a number from a column of numbers
    await connection.execute(text(statement))
    return f"created the HNSW index of vectors with {dimension} dimensions"
