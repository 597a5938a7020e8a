"""The cluster's roles, database and extensions: made once, safe to repeat after an interruption."""

from __future__ import annotations

from dataclasses import dataclass

import asyncpg

DATABASE = "partywall"
SUPERUSER = "postgres"
OWNER = "partywall_owner"
RUNTIME = "partywall_app"
EXTENSIONS = ("vector", "pg_trgm", "unaccent", "btree_gin")
ATTRIBUTES = "LOGIN NOSUPERUSER NOCREATEDB NOCREATEROLE NOREPLICATION NOBYPASSRLS NOINHERIT"


@dataclass(frozen=True, slots=True)
class RolePasswords:
    superuser: str
    owner: str
    runtime: str


async def bootstrap(socket_directory: str, passwords: RolePasswords) -> None:
    await _create_extensions("template1", socket_directory, passwords)
    connection = await _connect("postgres", socket_directory, passwords)
    try:
        await _create_role(connection, OWNER, passwords.owner)
        await _create_role(connection, RUNTIME, passwords.runtime)
        await _create_database(connection)
    finally:
        await connection.close()


async def _connect(
    database: str, socket_directory: str, passwords: RolePasswords
) -> asyncpg.Connection[asyncpg.Record]:
    return await asyncpg.connect(
        host=socket_directory, user=SUPERUSER, password=passwords.superuser, database=database
    )


async def _create_extensions(database: str, socket_directory: str, passwords: RolePasswords) -> None:
    """In template1, so that every later database has them: only a superuser may create some of these."""
    connection = await _connect(database, socket_directory, passwords)
    try:
        for extension in EXTENSIONS:
            await connection.execute(f"CREATE EXTENSION IF NOT EXISTS {extension}")
    finally:
        await connection.close()


async def _create_role(connection: asyncpg.Connection[asyncpg.Record], role: str, password: str) -> None:
    if not await connection.fetchval("SELECT 1 FROM pg_roles WHERE rolname = $1", role):
        await connection.execute(f"CREATE ROLE {role}")
    literal = await connection.fetchval("SELECT quote_literal($1::text)", password)
    await connection.execute(f"ALTER ROLE {role} {ATTRIBUTES} PASSWORD {literal}")


async def _create_database(connection: asyncpg.Connection[asyncpg.Record]) -> None:
    if not await connection.fetchval("SELECT 1 FROM pg_database WHERE datname = $1", DATABASE):
        await connection.execute(f"CREATE DATABASE {DATABASE} OWNER {OWNER} TEMPLATE template1")
    await connection.execute(f"REVOKE ALL ON DATABASE {DATABASE} FROM PUBLIC")
    await connection.execute(f"GRANT CONNECT ON DATABASE {DATABASE} TO {RUNTIME}")
