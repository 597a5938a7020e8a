from __future__ import annotations

import ast
from collections.abc import Iterator

from partywall.checks.source import Codebase, Finding, Source

PROOF = "ProjectScope"


def repository_takes_scope(source: Source, codebase: Codebase) -> Iterator[Finding]:
    """A repository of project tables cannot be built without the proof of access."""
    if source.slice not in {table.slice for table in codebase.project_tables} or source.slice is None:
        return
    for node in source.nodes(ast.ClassDef):
        is_repository = node.name.endswith("Repository") or (source.stem.endswith("repository") and _has_session(node))
        if is_repository and not _takes_scope(node):
            message = f"{node.name} reads project tables but its constructor takes no {PROOF}"
            yield source.finding("project-scope", node.lineno, message)


def _has_session(node: ast.ClassDef) -> bool:
    """Any class in a repository file that holds a session runs queries."""
    return any(isinstance(item, ast.AnnAssign | ast.arg) and "Session" in ast.unparse(item) for item in ast.walk(node))


def _takes_scope(node: ast.ClassDef) -> bool:
    """Through a parameter of `__init__` or a dataclass field."""
    for item in node.body:
        if isinstance(item, ast.FunctionDef) and item.name == "__init__":
            return any(arg.annotation and PROOF in ast.unparse(arg.annotation) for arg in _parameters(item))
    return any(isinstance(item, ast.AnnAssign) and PROOF in ast.unparse(item.annotation) for item in node.body)


def _parameters(function: ast.FunctionDef) -> list[ast.arg]:
    return [*function.args.posonlyargs, *function.args.args, *function.args.kwonlyargs]
