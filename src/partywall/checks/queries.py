from __future__ import annotations

import ast
import re
from collections.abc import Iterator

from partywall.checks.source import Codebase, Finding, Function, Source
from partywall.checks.tables import Table, called_name

STATEMENTS = {"select", "update", "delete", "exists"}
NARROWING = {"where", "filter", "filter_by", "join", "outerjoin", "join_from", "having", "select_from"}
SQL = re.compile(
    r"^\s*(?:--.*\n\s*)*(?:select\b.*\bfrom\b|update\s+\w+.*\bset\b|(?:delete\s+from|insert\s+into|merge\s+into)\b"
    r"|with\s+(?:recursive\s+)?\w+.*\bas\b)",
    re.IGNORECASE | re.DOTALL,
)
COLUMN = "project_id"


def project_filter(source: Source, codebase: Codebase) -> Iterator[Finding]:
    """A statement on a project table filters by `project_id`; row-level security is the second protection."""
    tables = codebase.project_tables
    yield from _statements(source, tables)
    yield from _sql_texts(source, codebase)


def _statements(source: Source, tables: tuple[Table, ...]) -> Iterator[Finding]:
    symbols = {table.symbol for table in tables}
    helpers = set(_helpers(source))
    parents = {child: node for node in source.nodes(ast.AST) for child in ast.iter_child_nodes(node)}
    for call in source.nodes(ast.Call):
        touched = _touched(call, symbols)
        if not touched or _narrows(_whole_chain(call, parents), helpers):
            continue
        function = _enclosing(call, parents)
        if function is None or not _narrows(function, helpers):
            message = f"{called_name(call)} of {', '.join(sorted(touched))} without {COLUMN} in its where clause"
            yield source.finding("project-filter", call.lineno, message)


def _touched(call: ast.Call, symbols: set[str]) -> set[str]:
    """The project tables of a `select(...)`, `update(...)`, `select_from(Model)` or `session.get(Model, id)`."""
    name = called_name(call)
    if name in STATEMENTS:
        return {n.id for arg in call.args for n in ast.walk(arg) if isinstance(n, ast.Name)} & symbols
    is_get = name == "get" and len(call.args) >= 2 and COLUMN not in ast.unparse(call.args[1])
    if (is_get or (name == "select_from" and call.args)) and isinstance(call.args[0], ast.Name):
        return {call.args[0].id} & symbols
    return set()


def _whole_chain(call: ast.Call, parents: dict[ast.AST, ast.AST]) -> ast.AST:
    """`select(...).where(...).limit(...)` from its first call up to its last."""
    node: ast.AST = call
    while isinstance(parent := parents.get(node), ast.Attribute | ast.Call):
        if isinstance(parent, ast.Call) and parent.func is not node:
            break
        node = parent
    return node


def _enclosing(node: ast.AST, parents: dict[ast.AST, ast.AST]) -> Function | None:
    while (parent := parents.get(node)) is not None:
        if isinstance(parent, ast.FunctionDef | ast.AsyncFunctionDef):
            return parent
        node = parent
    return None


def _narrows(root: ast.AST, helpers: set[str]) -> bool:
    """`helpers` are names that stand for a comparison with the column."""
    calls = (node for node in ast.walk(root) if isinstance(node, ast.Call) and called_name(node) in NARROWING)
    return any(
        any(COLUMN in ast.unparse(argument) or _names(argument, helpers) for argument in call.args)
        or any(keyword.arg == COLUMN for keyword in call.keywords)
        for call in calls
    )


def _helpers(source: Source) -> Iterator[str]:
    """Functions that return or yield such a comparison, and variables that hold one."""
    for function in source.functions():
        if any(_compares(node) for node in ast.walk(function) if isinstance(node, ast.Return | ast.Yield)):
            yield function.name
    for node in source.nodes(ast.Assign):
        if isinstance(node.value, ast.Compare) and _compares(node):
            yield from (target.id for target in node.targets if isinstance(target, ast.Name))


def _compares(root: ast.AST) -> bool:
    return any(isinstance(node, ast.Compare) and COLUMN in ast.unparse(node) for node in ast.walk(root))


def _names(root: ast.AST, names: set[str]) -> bool:
    return any(isinstance(node, ast.Name) and node.id in names for node in ast.walk(root))


def _sql_texts(source: Source, codebase: Codebase) -> Iterator[Finding]:
    """The same check for SQL text."""
    for line, text in codebase.texts(source):
        if not SQL.match(text) or COLUMN in text:
            continue
        tables = codebase.project_tables
        named = [table.name for table in tables if re.search(rf"\b{re.escape(table.name)}\b", text)]
        if named:
            message = f"SQL over {', '.join(named)} does not mention {COLUMN}"
            yield source.finding("project-filter", line, message)
