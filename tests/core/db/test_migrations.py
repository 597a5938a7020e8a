from __future__ import annotations

import asyncpg

from partywall.core.db.migrate import head_revision, migrate
from tests.engines import TEMPLATE, DatabaseUrls, Urls, create_database


async def _tables(database: DatabaseUrls) -> set[str]:
    connection = await asyncpg.connect(DatabaseUrls.dsn(database.superuser))
    try:
        rows = await connection.fetch("SELECT relname FROM pg_class WHERE relnamespace = 'public'::regnamespace")
        return {row["relname"] for row in rows}
    finally:
        await connection.close()


async def test_every_migration_can_be_taken_back_and_made_again(engines: Urls) -> None:
    await create_database(engines, "partywall_reversed", TEMPLATE)
    database = engines.database("partywall_reversed")
    before = await _tables(database)
    await migrate(database.owner, database.runtime, "base")
    left = await _tables(database)
    assert not {name for name in left if not name.startswith("alembic_version")} & before - {"vector"}
    await migrate(database.owner, database.runtime)
    assert await _tables(database) == before
    await migrate(database.owner, database.runtime)
    connection = await asyncpg.connect(DatabaseUrls.dsn(database.superuser))
    assert await connection.fetchval("SELECT version_num FROM alembic_version") == head_revision()
    await connection.close()
