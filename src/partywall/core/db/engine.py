"""Connections to PostgreSQL: their URL, timeouts and options."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable, Mapping
from functools import partial
from typing import Final

import asyncpg
from sqlalchemy import event, make_url, text
from sqlalchemy.engine.interfaces import DBAPIConnection, ExceptionContext
from sqlalchemy.exc import ArgumentError, DisconnectionError
from sqlalchemy.ext.asyncio import AsyncEngine, create_async_engine
from sqlalchemy.util import greenlet_spawn

from partywall.core.db.driver_errors import NoConnectionError
from partywall.core.db.long_reads import LONG_READ_SECONDS, LongReadPool
from partywall.core.db.pooler import connect_pooled
from partywall.core.db.pools import UNUSED_SECONDS, SharedQueuePool
from partywall.core.db.quotas import raise_exceeded_quotas
from partywall.core.db.read_pool import Connection, ReadPool
from partywall.core.tenant_semaphore import TenantSemaphore

DRIVER = "postgresql+asyncpg"
IDLE_MS = 15_000
# Timeout for a statement on a connection of the read pool.
COMMAND_SECONDS = 30
# How long after PostgreSQL's own statement timeout the client gives up.
SILENT_SECONDS = 5
CONNECT_SECONDS = 10
_BACKENDS: Final = frozenset({"postgresql", "postgres"})


def asyncpg_dsn(url: str) -> str:
    """The URL in asyncpg's form, whichever driver it names; SQLAlchemy's `ssl` becomes `sslmode`.

    Raises ValueError for anything but a PostgreSQL URL.
    """
    try:
        parsed = make_url(url)
    except ArgumentError as error:
        raise ValueError("not a URL") from error
    if parsed.get_backend_name() not in _BACKENDS:
        raise ValueError("not a PostgreSQL URL")
    parsed = parsed.set(drivername="postgresql")
    if "ssl" in parsed.query:
        mode = parsed.query["ssl"]
        parsed = parsed.difference_update_query(["ssl"]).update_query_dict({"sslmode": mode})
    return parsed.render_as_string(hide_password=False)


def connect_args(url: str, settings: Mapping[str, str] | None = None, *, pooled: bool = False) -> dict[str, object]:
    """An engine's `connect_args`: asyncpg opens the connections, so all options of PostgreSQL URLs work."""
    connect = connect_pooled if pooled else asyncpg.connect
    limits = settings or {}
    opened = partial(
        connect, asyncpg_dsn(url), server_settings=dict(limits), timeout=CONNECT_SECONDS,
        command_timeout=_command_seconds(limits),
    )  # fmt: skip
    return {"async_creator_fn": partial(_connected, opened)}


def _command_seconds(settings: Mapping[str, str]) -> float | None:
    """The client's timeout: a server that is suspended does not enforce its own."""
    limit = settings.get("statement_timeout")
    return None if limit is None else int(limit) / 1000 + SILENT_SECONDS


async def _connected(connect: Callable[[], Awaitable[Connection]]) -> Connection:
    """Marks network errors as the database's: SQLAlchemy passes them on unchanged."""
    try:
        return await connect()
    except OSError as error:
        raise NoConnectionError(*error.args) from error


def server_settings(application: str, statement_timeout_ms: int, **limits_ms: int) -> dict[str, str]:
    """Connection settings for PostgreSQL. `limits_ms` are more timeouts in milliseconds, such as `lock_timeout`."""
    return {
        "application_name": application,
        "statement_timeout": str(statement_timeout_ms),
        "idle_in_transaction_session_timeout": str(IDLE_MS),
        **{name: str(value) for name, value in limits_ms.items()},
        "timezone": "UTC",
    }


def create_engine(
    url: str, *, pool_size: int, overflow: int, settings: Mapping[str, str], pooled: bool = False
) -> AsyncEngine:
    """With `pooled`, connections may go through a transaction pooler, and statements are not prepared."""
    engine = create_async_engine(
        f"{DRIVER}://",
        connect_args=connect_args(url, settings, pooled=pooled),
        poolclass=SharedQueuePool,
        pool_size=pool_size,
        max_overflow=overflow,
        pool_timeout=10,
        # Logged errors show the statement, never its parameters.
        hide_parameters=True,
    )
    event.listen(engine.sync_engine, "checkout", _refuse_closed)
    event.listen(engine.sync_engine, "handle_error", _raise_lost)
    raise_exceeded_quotas(engine.sync_engine)
    return engine


async def close_unused(engine: AsyncEngine) -> None:
    """Closes connections that have not been needed for a while, forever."""
    while True:
        await asyncio.sleep(UNUSED_SECONDS)
        pool = engine.sync_engine.pool
        assert isinstance(pool, SharedQueuePool)
        await greenlet_spawn(pool.close_unused)


def _raise_lost(context: ExceptionContext) -> None:
    """Translates errors that SQLAlchemy passes on unchanged because they are not the driver's."""
    error = context.original_exception
    if isinstance(error, TimeoutError):
        context.is_disconnect = True  # do not reuse that connection
        raise NoConnectionError("PostgreSQL does not answer") from error
    if isinstance(error, OSError | asyncpg.InternalClientError) and not isinstance(error, NoConnectionError):
        raise NoConnectionError(*error.args) from error


def _refuse_closed(connection: DBAPIConnection, _record: object, _proxy: object) -> None:
    """Detects a server that has gone since the last use. Unlike a ping, it costs no round trip."""
    if connection.driver_connection.is_closed():
        raise DisconnectionError


async def create_read_pool(url: str, *, size: int, settings: Mapping[str, str], pooled: bool = False) -> ReadPool:
    """The pool for `ScopedRead`s, which are single statements without a transaction of their own."""
    most = min(LONG_READ_SECONDS * 1000, int(settings["statement_timeout"]))
    long = LongReadPool(_reading(url, {**settings, "statement_timeout": str(most)}, pooled=pooled))
    pool = ReadPool(_reading(url, settings, pooled=pooled), TenantSemaphore(size), long)
    await pool.open()
    return pool


def _reading(url: str, settings: Mapping[str, str], *, pooled: bool) -> Callable[[], Awaitable[Connection]]:
    connect = connect_pooled if pooled else asyncpg.connect
    limits = {"timeout": CONNECT_SECONDS, "command_timeout": COMMAND_SECONDS}
    return partial(connect, asyncpg_dsn(url), server_settings=dict(settings), **limits)


async def ping(engine: AsyncEngine) -> None:
    async with engine.connect() as connection:
        await connection.execute(text("select 1"))
