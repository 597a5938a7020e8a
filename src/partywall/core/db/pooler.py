"""Connections that may go through a transaction pooler such as PgBouncer.

A pooler may give each transaction another server connection. So no setting, named prepared statement or session lock
may outlive a transaction.
"""

from __future__ import annotations

from collections.abc import Mapping
from contextlib import AbstractAsyncContextManager, nullcontext
from typing import Final

import asyncpg

# Poolers carry these over between server connections, and reject other startup parameters.
_CARRIED: Final = frozenset({"application_name", "timezone"})
# How asyncpg begins a transaction.
_BEGIN: Final = "BEGIN"


class PooledConnection(asyncpg.Connection):  # type: ignore[misc]  # asyncpg leaves its connection untyped
    """Runs everything in a transaction, even a single statement, and sets the limits in each.

    The limits are sent with BEGIN, so they cost no round trip. asyncpg changes a setting while it looks up a new type,
    and restores it afterwards: within one transaction both reach the same server connection.
    """

    limits = ""

    async def execute(self, query: str, *args: object, timeout: float | None = None) -> str:  # noqa: ASYNC109 - asyncpg's signature
        if query.startswith(_BEGIN) and not args and not self.is_in_transaction():
            query += self.limits
        status: str = await super().execute(query, *args, timeout=timeout)
        return status

    async def fetch(self, query: str, *args: object, **options: float | type | None) -> list[asyncpg.Record]:
        async with self._transaction():
            rows: list[asyncpg.Record] = await super().fetch(query, *args, **options)
            return rows

    async def fetchrow(self, query: str, *args: object, **options: float | type | None) -> asyncpg.Record | None:
        async with self._transaction():
            row: asyncpg.Record | None = await super().fetchrow(query, *args, **options)
            return row

    async def fetchval(self, query: str, *args: object, **options: float | type | None) -> object:
        async with self._transaction():
            value: object = await super().fetchval(query, *args, **options)
            return value

    def _transaction(self) -> AbstractAsyncContextManager[object]:
        return nullcontext() if self.is_in_transaction() else self.transaction()


async def connect_pooled(dsn: str, *, server_settings: Mapping[str, str], **options: object) -> PooledConnection:
    """`server_settings` are those of a direct connection.

    Without a statement cache, asyncpg uses unnamed statements.
    """
    options |= {"connection_class": PooledConnection, "statement_cache_size": 0}
    carried = {name: value for name, value in server_settings.items() if name in _CARRIED}
    connection: PooledConnection = await asyncpg.connect(dsn, server_settings=carried, **options)
    limits = {name: int(value) for name, value in server_settings.items() if name not in _CARRIED}
    connection.limits = "".join(f"SET LOCAL {name} = {value};" for name, value in limits.items())
    return connection
