from __future__ import annotations

import os
import ssl
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from typing import Final

import asyncpg
from pydantic import SecretStr
from sqlalchemy import make_url
from sqlalchemy.exc import ArgumentError, DBAPIError, ProgrammingError

from partywall.commands.usage_error import UsageError
from partywall.core.db.driver_errors import first_line, is_away
from partywall.core.db.engine import asyncpg_dsn
from partywall.core.db.pooler import connect_pooled

CONNECT_SECONDS = 10.0
SCHEMA = "SELECT to_regclass('account') IS NOT NULL"
_LONGEST_URL: Final = 4096
_LIMIT: Final = "statement_timeout"
_POOLER: Final = "there is a pooler in between: set DATABASE__DIRECT_URL to a URL that bypasses it"
_FAILURES: Final = (
    OSError,
    asyncpg.PostgresError,
    asyncpg.InterfaceError,
    asyncpg.InternalClientError,  # another service answers there
    ValueError,
    OverflowError,  # the port number is too large
)

type Connection = asyncpg.Connection[asyncpg.Record]


async def require_postgres(
    variable: str, secret: SecretStr | None, *, schema: bool = True, direct: Mapping[str, str] | None = None
) -> str:
    """Returns the URL if PostgreSQL answers and, with `schema`, the migrations have run. Raises UsageError.

    With `direct`, there must be no pooler: these settings must last as long as the connection.
    """
    if secret is None:
        raise UsageError(f"{variable} is not set")
    url = secret.get_secret_value()
    try:
        dsn = asyncpg_dsn(_printable(url))
    except (ValueError, ArgumentError):
        raise UsageError(f"{variable} is not a valid URL: use postgresql://ROLE:PASSWORD@HOST:PORT/DATABASE") from None
    if "@" in f"{make_url(url).host}{make_url(url).database}":  # a part of the password: do not print it
        raise UsageError(f"{variable} is not a valid URL: write @, / and : in the password as %40, %2F and %3A")
    try:
        connection = await _connect(dsn, direct)
        try:
            ready = not schema or await connection.fetchval(SCHEMA)
            dropped = direct is not None and await _drops_settings(connection, direct)
        finally:
            await connection.close()
    except _FAILURES as error:
        raise UsageError(f"cannot reach PostgreSQL at {place(url)} ({variable}): {_reason(error)}") from None
    if dropped:
        raise UsageError(f"{variable} does not keep the settings of a connection: {_POOLER}")
    if not ready:
        raise UsageError("the database has no schema yet: run `partywall migrate`")
    return url


def _printable(url: str) -> str:
    if not url.isprintable() or len(url) > _LONGEST_URL or make_url(url).port == 0:
        raise ValueError("no URL")
    return url


async def _connect(dsn: str, direct: Mapping[str, str] | None) -> Connection:
    if direct is None:
        return await connect_pooled(dsn, server_settings={}, timeout=CONNECT_SECONDS)
    options = {"server_settings": dict(direct), "timeout": CONNECT_SECONDS, "statement_cache_size": 0}
    connection: Connection = await asyncpg.connect(dsn, **options)
    return connection


async def _drops_settings(connection: Connection, settings: Mapping[str, str]) -> bool:
    """Whether a pooler drops the settings: it may be configured to ignore unknown ones."""
    kept = await connection.fetchval("SELECT setting FROM pg_settings WHERE name = $1", _LIMIT)
    return bool(kept != settings[_LIMIT])


@contextmanager
def database_failures(*, migrating: bool = False) -> Iterator[None]:
    """Turns errors of PostgreSQL into a UsageError of one line."""
    try:
        yield
    except DBAPIError as error:
        if isinstance(error, ProgrammingError) and not migrating:
            raise UsageError(f"{first_line(error)}: has `partywall migrate` been run with this version?") from None
        raise UsageError(f"PostgreSQL refused: {first_line(error)}") from None
    except (ConnectionError, asyncpg.PostgresError, asyncpg.InterfaceError) as error:
        raise UsageError(f"PostgreSQL {'is unreachable' if is_away(error) else 'refused'}: {_reason(error)}") from None


def place(url: str) -> str:
    """Returns host, database and role, without the password."""
    parsed = make_url(url)
    host = parsed.host or parsed.query.get("host", "localhost")
    port = f":{parsed.port}" if parsed.port else ""
    role = f" as {parsed.username}" if parsed.username else ""
    return f"{host}{port}/{parsed.database or ''}{role}"


def _reason(error: Exception) -> str:
    if isinstance(error, TimeoutError):
        return f"no answer within {CONNECT_SECONDS:g} s"
    if isinstance(error, ssl.SSLCertVerificationError):
        return f"its certificate is not accepted: {error.verify_message}"
    if isinstance(error, ssl.SSLError):
        return f"TLS: {(error.reason or 'failed').lower().replace('_', ' ')}"
    if isinstance(error, OSError):
        return os.strerror(error.errno).lower() if error.errno and error.errno > 0 else (error.strerror or str(error))
    said = str(error).splitlines()[0] if str(error) else type(error).__name__
    return f"{said}: {_POOLER}" if said.startswith("unsupported startup parameter") else said
