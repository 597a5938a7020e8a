"""What guards the tables of features in the migrated database, from the catalogue."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from typing import Final

from sqlalchemy import Table

from partywall.core.db.base import TableKind
from partywall.testing.isolation.database import Superuser
from partywall.testing.isolation.rows import ForeignKey, foreign_keys

_TABLES: Final = """
    SELECT c.relname AS name, c.relrowsecurity AND c.relforcerowsecurity AS forced,
        (SELECT array_agg(a.attname::text) FROM pg_index AS i
         JOIN pg_attribute AS a ON a.attrelid = c.oid AND a.attnum = ANY (i.indkey)
         WHERE i.indrelid = c.oid AND i.indisprimary) AS primary_key
    FROM pg_class AS c WHERE c.relnamespace = 'public'::regnamespace AND c.relname = ANY ($1)
"""
# Excludes policies for other roles only.
_POLICIES: Final = """
    SELECT polrelid::regclass::text AS "table", polname AS name, polcmd::text AS command,
        coalesce(pg_get_expr(polqual, polrelid), '') AS reads,
        coalesce(pg_get_expr(polwithcheck, polrelid), '') AS writes
    FROM pg_policy WHERE polpermissive AND polrelid::regclass::text = ANY ($1)
        AND (0 = ANY (polroles) OR 'partywall_app'::regrole = ANY (polroles))
"""
# What each permissive policy must compare with, by the kind of the table.
_BOUND: Final[Mapping[TableKind, str]] = {
    TableKind.PROJECT: "project_id = ( SELECT wall.current_project()",
    TableKind.PRINCIPAL: "wall.current_",
}

type Row = Mapping[str, object]


async def unguarded(superuser: Superuser, tables: Sequence[Table]) -> list[str]:
    """One line for each guard that is missing."""
    names = [table.name for table in tables]
    found = {str(row["name"]): row for row in await superuser.fetch(_TABLES, names)}
    policies = await superuser.fetch(_POLICIES, names)
    async with superuser.pool.acquire() as connection:
        keys = await foreign_keys(connection)
    return [
        f"the table {table.name} {text}"
        for table in tables
        for text in _missing(
            table,
            found.get(table.name),
            [each for each in policies if each["table"] == table.name],
            [key for key in keys if key.child == table.name],
        )
    ]


def _missing(table: Table, row: Row | None, policies: Sequence[Row], keys: Sequence[ForeignKey]) -> Iterator[str]:
    kind = table.info.get("kind")
    if row is None:
        yield "does not exist: create it in a migration"
    elif isinstance(kind, TableKind) and kind in _BOUND:
        if not row["forced"]:
            yield "has no forced row-level security: ENABLE and FORCE it in its migration"
        yield from _open(policies, _BOUND[kind])
        if kind is TableKind.PROJECT:
            yield from _crossable(row, keys)


def _open(policies: Sequence[Row], bound: str) -> Iterator[str]:
    if not any(policy["command"] == "*" for policy in policies):
        yield "has no policy for all commands: create one in its migration"
    for policy in policies:
        if not all(bound in str(each) for each in (policy["reads"], policy["writes"]) if each):
            yield f"has the policy {policy['name']}, which does not compare with {bound})"


def _crossable(row: Row, keys: Sequence[ForeignKey]) -> Iterator[str]:
    primary = row["primary_key"]
    if not isinstance(primary, list) or "project_id" not in primary:
        yield "has a primary key without project_id: make it (project_id, id)"
    for key in keys:
        if key.parent != "project" and ("project_id", "project_id") not in zip(key.columns, key.targets, strict=True):
            yield f"has the foreign key {key.name}, which could point into another project: add project_id to it"
