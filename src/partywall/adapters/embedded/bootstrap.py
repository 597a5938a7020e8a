"""Creates the cluster's roles, database and extensions. Idempotent."""

from __future__ import annotations

from collections.abc import Callable, Mapping

import asyncpg

DATABASE = "partywall"
SUPERUSER = "postgres"
OWNER = "partywall_owner"
RUNTIME = "partywall_app"
ROLES = (SUPERUSER, OWNER, RUNTIME)
EXTENSIONS = """
    CREATE EXTENSION IF NOT EXISTS vector;
    CREATE EXTENSION IF NOT EXISTS pg_trgm;
    CREATE EXTENSION IF NOT EXISTS unaccent;
    CREATE EXTENSION IF NOT EXISTS btree_gin;
"""
ATTRIBUTES = "LOGIN NOSUPERUSER NOCREATEDB NOCREATEROLE NOREPLICATION NOBYPASSRLS NOINHERIT"

type Connection = asyncpg.Connection


async def bootstrap(dsn: Callable[[str], str], passwords: Mapping[str, str]) -> None:
    """`dsn` returns the superuser's DSN for a database; `passwords` has one for each of ROLES."""
    await _create_extensions(await asyncpg.connect(dsn("template1")))
    connection = await asyncpg.connect(dsn("postgres"))
    try:
        for role in (OWNER, RUNTIME):
            await _create_role(connection, role, passwords[role])
        await _create_database(connection)
    finally:
        await connection.close()


async def _create_extensions(template: Connection) -> None:
    """In template1, so that every new database has them: some need a superuser."""
    try:
        await template.execute(EXTENSIONS)
    finally:
        await template.close()


async def _create_role(connection: Connection, role: str, password: str) -> None:
    if not await connection.fetchval("SELECT 1 FROM pg_roles WHERE rolname = $1", role):
        await connection.execute(await connection.fetchval("SELECT format('CREATE ROLE %I', $1::text)", role))
    set_password = await connection.fetchval(
        f"SELECT format('ALTER ROLE %I {ATTRIBUTES} PASSWORD %L', $1::text, $2::text)", role, password
    )
    await connection.execute(set_password)


async def _create_database(connection: Connection) -> None:
    if not await connection.fetchval("SELECT 1 FROM pg_database WHERE datname = $1", DATABASE):
        await connection.execute(f"CREATE DATABASE {DATABASE} OWNER {OWNER} TEMPLATE template1")
    await connection.execute(f"REVOKE ALL ON DATABASE {DATABASE} FROM PUBLIC")
    await connection.execute(f"GRANT CONNECT ON DATABASE {DATABASE} TO {RUNTIME}")
