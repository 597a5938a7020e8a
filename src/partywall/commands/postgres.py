from __future__ import annotations

import os
from collections.abc import Iterator
from contextlib import contextmanager

import asyncpg
from pydantic import SecretStr
from sqlalchemy import make_url
from sqlalchemy.exc import ArgumentError, DBAPIError, ProgrammingError

from partywall.commands.refusal import Refusal
from partywall.core.db.engine import asyncpg_dsn

CONNECT_SECONDS = 10.0
SCHEMA = "SELECT to_regclass('account') IS NOT NULL"


async def require_postgres(variable: str, secret: SecretStr | None, *, schema: bool = True) -> str:
    """The URL, once somebody answered there and, with `schema`, the migrations have been run. Raises Refusal."""
    if secret is None:
        raise Refusal(f"{variable} is not set")
    url = secret.get_secret_value()
    try:
        dsn = asyncpg_dsn(url)
    except ArgumentError:
        raise Refusal(f"{variable} is no URL: postgresql://ROLE:PASSWORD@HOST:PORT/DATABASE") from None
    try:
        connection = await asyncpg.connect(dsn, timeout=CONNECT_SECONDS)
    except (OSError, asyncpg.PostgresError, asyncpg.InterfaceError, ValueError) as error:
        raise Refusal(f"cannot reach PostgreSQL at {place(url)} ({variable}): {_reason(error)}") from None
    try:
        ready = not schema or await connection.fetchval(SCHEMA)
    finally:
        await connection.close()
    if not ready:
        raise Refusal("the database has no schema yet: run `partywall migrate`")
    return url


@contextmanager
def database_failures() -> Iterator[None]:
    """What PostgreSQL refused, in its own words and one line."""
    try:
        yield
    except ProgrammingError as error:
        raise Refusal(f"{_first_line(error)}: has `partywall migrate` been run with this version?") from None
    except DBAPIError as error:
        raise Refusal(f"PostgreSQL refused: {_first_line(error)}") from None


def _first_line(error: DBAPIError) -> str:
    cause = error.orig.__cause__ if error.orig is not None and error.orig.__cause__ is not None else error.orig
    return str(cause).splitlines()[0] if str(cause) else type(cause).__name__


def place(url: str) -> str:
    """Where and as whom, without the password."""
    parsed = make_url(url)
    host = parsed.host or parsed.query.get("host", "localhost")
    port = f":{parsed.port}" if parsed.port else ""
    role = f" as {parsed.username}" if parsed.username else ""
    return f"{host}{port}/{parsed.database or ''}{role}"


def _reason(error: Exception) -> str:
    if isinstance(error, TimeoutError):
        return f"no answer within {CONNECT_SECONDS:g} s"
    if isinstance(error, OSError):
        return os.strerror(error.errno).lower() if error.errno and error.errno > 0 else (error.strerror or str(error))
    return str(error).splitlines()[0] if str(error) else type(error).__name__
