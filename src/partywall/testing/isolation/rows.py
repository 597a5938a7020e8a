"""Creates and compares rows of every table with a `project_id`, from the catalogue."""

from __future__ import annotations

import re
from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass
from typing import Final
from uuid import UUID, uuid4

import asyncpg

type Connection = asyncpg.Connection[asyncpg.Record]

_TABLES = """
    SELECT c.relname FROM pg_class AS c JOIN pg_attribute AS a ON a.attrelid = c.oid AND a.attname = 'project_id'
    WHERE c.relkind = 'r' AND c.relnamespace = 'public'::regnamespace AND NOT a.attisdropped ORDER BY c.relname
"""
_REQUIRED = """
    SELECT a.attname AS name, format_type(a.atttypid, a.atttypmod) AS type,
        (SELECT min(pg_get_constraintdef(k.oid)) FROM pg_constraint AS k
         WHERE k.conrelid = a.attrelid AND k.contype = 'c' AND k.conkey = ARRAY[a.attnum]) AS rule
    FROM pg_attribute AS a
    WHERE a.attrelid = $1::text::regclass AND a.attnum > 0 AND a.attnotnull AND NOT a.atthasdef
        AND a.attidentity = '' AND NOT a.attisdropped ORDER BY a.attnum
"""
_KEYS = """
    SELECT conname AS name, conrelid::regclass::text AS child, confrelid::regclass::text AS parent,
        (SELECT array_agg(a.attname::text ORDER BY k.place) FROM unnest(conkey) WITH ORDINALITY AS k(number, place)
         JOIN pg_attribute AS a ON a.attrelid = conrelid AND a.attnum = k.number) AS columns,
        (SELECT array_agg(a.attname::text ORDER BY k.place) FROM unnest(confkey) WITH ORDINALITY AS k(number, place)
         JOIN pg_attribute AS a ON a.attrelid = confrelid AND a.attnum = k.number) AS targets
    FROM pg_constraint WHERE contype = 'f' AND connamespace = 'public'::regnamespace ORDER BY conname
"""
_VALUES: Mapping[str, str] = {
    "text": "'x'", "integer": "1", "bigint": "1", "smallint": "1", "boolean": "false", "jsonb": "'{}'",
    "json": "'{}'", "halfvec": "'[1]'", "date": "'2026-11-01'",
    "text[]": "'{}'", "timestamp with time zone": "now() + interval '1 hour'",
}  # fmt: skip


@dataclass(frozen=True, slots=True)
class ForeignKey:
    name: str
    child: str
    parent: str
    columns: Sequence[str]
    targets: Sequence[str]

    @property
    def crossing(self) -> list[tuple[str, str]]:
        """The key's columns without the project's, and their targets: where a row could point across projects."""
        pairs = zip(self.columns, self.targets, strict=True)
        return [(column, target) for column, target in pairs if column != "project_id"]


# Holds rows for milliseconds, until they are numbered and moved to `event`; the application has no right to it.
MOMENTARY: Final = frozenset({"pending_event"})


async def project_tables(connection: Connection) -> list[str]:
    return [row["relname"] for row in await connection.fetch(_TABLES) if row["relname"] not in MOMENTARY]


async def foreign_keys(connection: Connection) -> list[ForeignKey]:
    """Keys between two tables that both have a `project_id`."""
    tables = set(await project_tables(connection))
    keys = [ForeignKey(**dict(row)) for row in await connection.fetch(_KEYS)]
    return [key for key in keys if key.child in tables and (key.parent in tables or key.parent == "project")]


async def fill(connection: Connection, project: UUID, only: Collection[str] | None = None) -> None:
    """Adds a row to every table (of `only`) in which the project has none, parents first, without policies."""
    keys = await foreign_keys(connection)
    waiting = {each for each in await project_tables(connection) if only is None or each in only}
    while waiting:
        ready = [table for table in sorted(waiting) if not _parents(table, keys) & waiting]
        assert ready, f"these refer to each other in a cycle: {sorted(waiting)}"
        for table in ready:
            if not await _has_rows(connection, table, project):
                await _insert(connection, table, [key for key in keys if key.child == table], project)
        waiting -= set(ready)


def _parents(table: str, keys: Sequence[ForeignKey]) -> set[str]:
    return {key.parent for key in keys if key.child == table and key.parent != table}


async def _has_rows(connection: Connection, table: str, project: UUID) -> bool:
    query = f'SELECT EXISTS (SELECT FROM "{table}" WHERE project_id = $1)'  # noqa: S608 - a name from the catalogue
    return bool(await connection.fetchval(query, project))


async def _insert(connection: Connection, table: str, keys: Sequence[ForeignKey], project: UUID) -> None:
    values = {"project_id": f"'{project}'"}
    for key in keys:
        for column, target in key.crossing:
            parent = f'(SELECT "{target}" FROM "{key.parent}" WHERE project_id = \'{project}\' LIMIT 1)'  # noqa: S608 - as above
            values[column] = parent
    for row in await connection.fetch(_REQUIRED, table):
        values.setdefault(row["name"], _value(row["name"], row["type"], row["rule"]))
    columns = ", ".join(f'"{name}"' for name in values)
    await connection.execute(f'INSERT INTO "{table}" ({columns}) VALUES ({", ".join(values.values())})')  # noqa: S608 - as above


def _value(name: str, type_: str, rule: str | None) -> str:
    allowed = re.search(r"ARRAY\['([^']*)'", rule or "")
    if allowed:
        return f"'{allowed[1]}'"
    if name == "account_id":
        return "(SELECT id FROM account LIMIT 1)"
    if type_ in ("uuid", "text", "bytea"):
        return f"'{uuid4()}'"
    return _VALUES[type_]


async def checksums(connection: Connection, project: UUID) -> dict[str, str]:
    """A checksum of the project's rows in each table, including the project's own row."""
    found: dict[str, str] = {}
    for table in [*await project_tables(connection), "project"]:
        column = "id" if table == "project" else "project_id"
        query = f"""SELECT count(*) || ':' || coalesce(md5(string_agg(md5(t::text), '' ORDER BY md5(t::text))), '')
            FROM "{table}" AS t WHERE "{column}" = $1"""  # noqa: S608 - as above
        found[table] = await connection.fetchval(query, project)
    return found
