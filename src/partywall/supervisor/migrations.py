"""Checks at each start whether the database is at the newest migration, without importing Alembic."""

from __future__ import annotations

import ast
from collections.abc import Mapping
from pathlib import Path
from typing import Final

import asyncpg

# The variables of a migration that link it to others.
_CHAIN: Final = frozenset({"revision", "down_revision"})


def heads(directory: Path) -> set[str]:
    """The revisions in `directory` without a successor."""
    revisions: set[str] = set()
    ancestors: set[str] = set()
    for path in directory.glob("*.py"):
        names = _assignments(ast.parse(path.read_text()))
        revisions.update(_as_set(names.get("revision")))
        ancestors.update(_as_set(names.get("down_revision")))
    return revisions - ancestors


async def at_head(owner_dsn: str, directories: Mapping[str, Path]) -> bool:
    """Whether each of these version tables contains the newest revision of its directory."""
    connection = await asyncpg.connect(owner_dsn)
    try:
        for table, directory in directories.items():
            if await connection.fetchval("SELECT to_regclass($1)", table) is None:
                return False
            # lint: allow sql-text - the names of version tables: our own, and those that features declare
            rows = await connection.fetch(f'SELECT version_num FROM "{table}"')  # noqa: S608 - see above  # nosec B608
            if {row["version_num"] for row in rows} != heads(directory):
                return False
    finally:
        await connection.close()
    return True


def _assignments(module: ast.Module) -> dict[str, object]:
    found: dict[str, object] = {}
    for node in module.body:
        targets = node.targets if isinstance(node, ast.Assign) else [getattr(node, "target", None)]
        value = getattr(node, "value", None)
        for target in targets:
            if isinstance(target, ast.Name) and target.id in _CHAIN and isinstance(value, ast.Constant | ast.Tuple):
                found[target.id] = ast.literal_eval(value)
    return found


def _as_set(value: object) -> set[str]:
    if isinstance(value, str):
        return {value}
    return {item for item in value if isinstance(item, str)} if isinstance(value, tuple) else set()
