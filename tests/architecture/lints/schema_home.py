from __future__ import annotations

import ast
from collections.abc import Iterator

from partywall.checks.source import Codebase, Finding, Source, bases

HOME = "schemas"


def schema_home(source: Source, codebase: Codebase) -> Iterator[Finding]:
    """Request bodies, responses and the types of agents are declared in `schemas.py`, where readers look for them."""
    if not source.inside("core", "features") or source.stem == HOME:
        return
    for node in source.nodes(ast.ClassDef):
        if node.name in codebase.schemas and not codebase.schemas.isdisjoint(bases(node)):
            yield source.finding("schema-home", node.lineno, f"{node.name} belongs in {HOME}.py")
