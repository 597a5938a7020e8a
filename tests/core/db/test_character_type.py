from __future__ import annotations

from collections.abc import AsyncIterator
from uuid import uuid4

import asyncpg
import pytest
from structlog.testing import capture_logs

from partywall.core.db.character_type import warn_unless_utf8
from partywall.core.db.engine import create_engine, server_settings
from partywall.testing.engines import DatabaseUrls, Urls


@pytest.fixture
async def ascii_database(engines: Urls) -> AsyncIterator[DatabaseUrls]:
    name = f"ascii_{uuid4().hex[:12]}"
    connection = await asyncpg.connect(DatabaseUrls.dsn(engines.superuser.format(database="postgres")))
    await connection.execute(
        f"CREATE DATABASE {name} TEMPLATE template0 ENCODING 'UTF8' LOCALE_PROVIDER builtin"
        " BUILTIN_LOCALE 'C.UTF-8' LOCALE 'C'"
    )
    yield engines.database(name)
    await connection.execute(f"DROP DATABASE {name} WITH (FORCE)")
    await connection.close()


async def _warnings(database: DatabaseUrls) -> list[str]:
    engine = create_engine(database.superuser, pool_size=1, overflow=0, settings=server_settings("test", 1000))
    try:
        with capture_logs() as entries:
            await warn_unless_utf8(engine)
    finally:
        await engine.dispose()
    return [entry["event"] for entry in entries]


async def test_an_ascii_database_is_warned_about(ascii_database: DatabaseUrls) -> None:
    assert await _warnings(ascii_database) == ["character_type_is_not_utf8"]


async def test_the_embedded_database_has_a_utf8_character_type(database: DatabaseUrls) -> None:
    assert await _warnings(database) == []
