from __future__ import annotations

import ast
import re
from collections.abc import Iterator

from partywall.checks.source import Codebase, Finding, Source
from partywall.checks.tables import called_name

PROOF = "ProjectScope"
PROOFS = re.compile(r"\b(?:Project|Unlocked|Shared|Exclusive|Locked)Scope\b")
# Who makes a scope from the database's answer, and who makes one that says what its transaction has locked.
RESOLVERS = ("core/db/scopes.py",)
READERS = (
    "core/db/scoped_access.py", "core/events/sequence.py", "core/events/subscription.py",
)  # fmt: skip
HOME = "core/tenancy.py"


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
            return any(arg.annotation and PROOFS.search(ast.unparse(arg.annotation)) for arg in _parameters(item))
    return any(isinstance(item, ast.AnnAssign) and PROOFS.search(ast.unparse(item.annotation)) for item in node.body)


def _parameters(function: ast.FunctionDef) -> list[ast.arg]:
    return [*function.args.posonlyargs, *function.args.args, *function.args.kwonlyargs]


def scopes_come_from_resolvers(source: Source, _codebase: Codebase) -> Iterator[Finding]:
    """A scope is made where the database has just granted the access, and its type where the locks were taken."""
    if source.inside(HOME):
        return
    for call in source.nodes(ast.Call):
        name = called_name(call)
        allowed = RESOLVERS if name == "sealed_scope" else (*RESOLVERS, *READERS)
        if name in {"make_scope", "sealed_scope"} and not source.inside(*allowed):
            yield source.finding("scope-maker", call.lineno, f"{name}: open the scope with core/db/scopes.py")
        if PROOFS.fullmatch(name):
            yield source.finding("scope-maker", call.lineno, f"{name}: open the scope with core/db/scopes.py")
