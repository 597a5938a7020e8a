from __future__ import annotations

import ast
import re
from collections.abc import Iterator

from partywall.checks.source import Codebase, Finding, Source
from partywall.checks.tables import called_name

ROOT_TABLE = "project"  # core's tables of a project (its events) reference the project, too
TARGET = re.compile(r"[a-z_][a-z0-9_]*\.[a-z_][a-z0-9_]*")


def foreign_key_order(source: Source, codebase: Codebase) -> Iterator[Finding]:
    """Foreign keys point to the same slice or a lower one, never up or sideways."""
    owners = {table.name: table.slice for table in codebase.tables}
    for call in source.nodes(ast.Call):
        if called_name(call) not in {"ForeignKey", "ForeignKeyConstraint"}:
            continue
        for table in sorted({target.partition(".")[0] for target in _targets(call)}):
            owner = owners.get(table)
            if owner in (None, source.slice) or (source.slice is None and table == ROOT_TABLE):
                continue
            if not _is_below(owner, source.slice, codebase.order):
                message = f"a foreign key to {table!r} points to the slice {owner!r}, which is not a lower one"
                yield source.finding("foreign-key-order", call.lineno, message)


def relationship_across_slices(source: Source, codebase: Codebase) -> Iterator[Finding]:
    """Relationships stay within a slice and are loaded explicitly."""
    own = {table.symbol for table in codebase.tables if table.slice == source.slice}
    foreign = {table.symbol for table in codebase.tables} - own
    for node in source.nodes(ast.AnnAssign):
        if not isinstance(node.value, ast.Call) or called_name(node.value) != "relationship":
            continue
        names = set(re.findall(r"\w+", ast.unparse(node)))
        if reached := sorted(names & foreign):
            message = f"relationship to {', '.join(reached)} of another slice: keep the id, ask its service"
            yield source.finding("cross-slice-relationship", node.lineno, message)
        if not _is_lazy_raise(node.value):
            yield source.finding("cross-slice-relationship", node.lineno, 'a relationship needs lazy="raise"')


def _targets(call: ast.Call) -> Iterator[str]:
    """`ForeignKey("project.id")` names its target first, `ForeignKeyConstraint` second."""
    arguments = call.args[:1] if called_name(call) == "ForeignKey" else call.args[1:2]
    for node in (inner for argument in arguments for inner in ast.walk(argument)):
        if isinstance(node, ast.Constant) and isinstance(node.value, str) and TARGET.fullmatch(node.value):
            yield node.value


def _is_below(owner: str | None, user: str | None, order: tuple[str, ...]) -> bool:
    if owner is None or user is None or owner not in order or user not in order:
        return False
    return order.index(owner) < order.index(user)


def _is_lazy_raise(call: ast.Call) -> bool:
    return any(
        keyword.arg == "lazy" and isinstance(keyword.value, ast.Constant) and keyword.value.value == "raise"
        for keyword in call.keywords
    )
