from __future__ import annotations

import ast
from collections.abc import Iterator

from partywall.checks.source import Codebase, Finding, Source
from partywall.checks.tables import called_name

RUNNERS = {
    "text", "exec_driver_sql", "execute", "executemany", "fetch", "fetchrow", "fetchval", "scalar", "scalars",
    "stream", "stream_scalars",
}  # fmt: skip
TALKS_HTTP = ("client",)


def composed_sql(source: Source, _codebase: Codebase) -> Iterator[Finding]:
    """SQL is a constant with parameters; a statement composed at run time allows injection."""
    if source.inside(*TALKS_HTTP) or not any(called_name(call) in RUNNERS for call in source.nodes(ast.Call)):
        return
    seen: set[ast.Call] = set()
    for scope in (*source.functions(), source.tree):
        composed = _composed_names(scope)
        for node in ast.walk(scope):
            if isinstance(node, ast.Call) and node not in seen and called_name(node) in RUNNERS and node.args:
                argument = node.args[0]
                if _is_composed(argument) or (isinstance(argument, ast.Name) and argument.id in composed):
                    seen.add(node)
                    message = f"{called_name(node)}() gets a statement composed at run time: bind parameters"
                    yield source.finding("sql-text", node.lineno, message)


def _composed_names(scope: ast.AST) -> set[str]:
    assignments = (node for node in ast.walk(scope) if isinstance(node, ast.Assign) and _is_composed(node.value))
    return {target.id for node in assignments for target in node.targets if isinstance(target, ast.Name)}


def _is_composed(node: ast.expr) -> bool:
    match node:
        case ast.JoinedStr():
            values = [part.value for part in node.values if isinstance(part, ast.FormattedValue)]
            return not all(_is_constant(value) for value in values)
        case ast.BinOp(op=ast.Add() | ast.Mod()):
            return any(_is_text(side) for side in (node.left, node.right))
        case ast.Call(func=ast.Attribute(value=value, attr="format" | "format_map" | "join" | "replace")):
            return _is_text(value)
    return False


def _is_constant(node: ast.expr) -> bool:
    """An upper-case name: a statement made of constants is a constant."""
    return isinstance(node, ast.Name) and node.id.isupper()


def _is_text(node: ast.expr) -> bool:
    return isinstance(node, ast.JoinedStr) or (isinstance(node, ast.Constant) and isinstance(node.value, str))
