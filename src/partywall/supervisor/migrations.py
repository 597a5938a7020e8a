"""Checks at each start whether `partywall migrate` has anything to do, without importing Alembic."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Final

import asyncpg

from partywall.core.db.revisions import read_revisions

# As `partywall.features.search.hnsw_indexes` finds it.
# lint: allow project-filter - which dimensions exist, in all projects
_LACKS_INDEX: Final = """
    SELECT EXISTS (
        SELECT FROM search_index WHERE status <> 'retired' AND to_regclass('embedding_hnsw_' || dimension) IS NULL
    )
"""


def heads(directory: Path) -> set[str]:
    """The revisions in `directory` without a successor."""
    revisions = read_revisions(directory)
    return {each.name for each in revisions} - {name for each in revisions for name in each.after}


async def at_head(owner_dsn: str, directories: Mapping[str, Path]) -> bool:
    """Whether each of these version tables contains the newest revision of its directory, and no HNSW index lacks."""
    connection = await asyncpg.connect(owner_dsn)
    try:
        for table, directory in directories.items():
            if await connection.fetchval("SELECT to_regclass($1)", table) is None:
                return False
            # lint: allow sql-text - the names of version tables: our own, and those that features declare
            rows = await connection.fetch(f'SELECT version_num FROM "{table}"')  # noqa: S608 - see above  # nosec B608
            if {row["version_num"] for row in rows} != heads(directory):
                return False
        if await connection.fetchval("SELECT to_regclass('search_index')") is None:
            return True  # a program without search
        lacking: bool = await connection.fetchval(_LACKS_INDEX)
        return not lacking
    finally:
        await connection.close()
