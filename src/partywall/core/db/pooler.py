"""Connections that may pass a transaction pooler such as PgBouncer.

Behind a pooler each transaction may get another connection of the server, so nothing of ours may outlive a transaction
there: no setting, no prepared statement with a name, no lock of the session.
"""

from __future__ import annotations

from collections.abc import Mapping
from contextlib import AbstractAsyncContextManager, nullcontext
from typing import Final

import asyncpg

# Poolers carry these from one connection of the server to the next; they refuse other parameters at the start.
_CARRIED: Final = frozenset({"application_name", "timezone"})
# As asyncpg begins a transaction.
_BEGIN: Final = "BEGIN"


class PooledConnection(asyncpg.Connection):  # type: ignore[misc]  # asyncpg leaves its connection untyped
    """Does everything in a transaction, a single statement too, and sets its limits for each.

    They go in the message that begins it, which costs no round trip. asyncpg itself sets something aside when it meets
    a new type, and sets it again after: in one transaction both reach the same connection.
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
    """`server_settings` as a direct connection takes them at its start.

    Without a cache, asyncpg gives its statements no names and sends each with every use of it.
    """
    options |= {"connection_class": PooledConnection, "statement_cache_size": 0}
    carried = {name: value for name, value in server_settings.items() if name in _CARRIED}
    connection: PooledConnection = await asyncpg.connect(dsn, server_settings=carried, **options)
    limits = {name: int(value) for name, value in server_settings.items() if name not in _CARRIED}
    connection.limits = "".join(f"SET LOCAL {name} = {value};" for name, value in limits.items())
    return connection
