from __future__ import annotations

import asyncio
import os
import signal

import pytest
from sqlalchemy import text

from partywall.core.db import engine as engines
from partywall.core.db.driver_errors import NoConnectionError
from partywall.core.db.engine import asyncpg_dsn, create_engine, server_settings
from partywall.testing.engines import DatabaseUrls


@pytest.mark.parametrize(
    ("url", "dsn"),
    [
        ("postgresql+asyncpg://u:p@h:5433/d", "postgresql://u:p@h:5433/d"),
        ("postgres://u:p@h/d", "postgresql://u:p@h/d"),
        ("postgresql+psycopg://u:p@h/d?sslmode=verify-full", "postgresql://u:p@h/d?sslmode=verify-full"),
        ("postgresql://u:p@h/d?ssl=require", "postgresql://u:p@h/d?sslmode=require"),
        ("postgresql://u:p@/d?host=/run/pg", "postgresql://u:p@/d?host=%2Frun%2Fpg"),
    ],
)
def test_any_url_becomes_the_drivers(url: str, dsn: str) -> None:
    assert asyncpg_dsn(url) == dsn


async def test_an_engine_takes_what_the_url_says(database: DatabaseUrls) -> None:
    settings = server_settings("partywall-test", 4321)
    url = database.runtime + ("&" if "?" in database.runtime else "?") + "ssl=disable"
    engine = create_engine(url, pool_size=1, overflow=0, settings=settings)
    try:
        async with engine.connect() as connection:
            query = text("SELECT current_setting(n) FROM unnest(CAST(:names AS text[])) AS n")
            shown = await connection.execute(query, {"names": ["application_name", "statement_timeout", "TimeZone"]})
            assert [row[0] for row in shown] == ["partywall-test", "4321ms", "UTC"]
    finally:
        await engine.dispose()


async def test_a_server_that_is_stopped_is_given_up(database: DatabaseUrls, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(engines, "SILENT_SECONDS", 1)
    settings = {"statement_timeout": "1000"}
    engine = create_engine(database.runtime, pool_size=1, overflow=0, settings=settings)
    try:
        async with asyncio.timeout(60), engine.connect() as connection:
            process = (await connection.execute(text("SELECT pg_backend_pid()"))).scalar_one()
            os.kill(process, signal.SIGSTOP)
            try:
                with pytest.raises(NoConnectionError):
                    await connection.execute(text("SELECT 1"))
                assert connection.invalidated
            finally:
                os.kill(process, signal.SIGCONT)
        async with asyncio.timeout(60), engine.connect() as another:
            assert (await another.execute(text("SELECT 1"))).scalar_one() == 1
    finally:
        await engine.dispose()
