from __future__ import annotations

import ast
from collections.abc import Iterator

from partywall.checks.source import Codebase, Finding, Source

ENDINGS = {"commit", "rollback"}


def commit_or_rollback(source: Source, _codebase: Codebase) -> Iterator[Finding]:
    """The request or job ends its transaction; all other code raises or returns."""
    if source.inside("core/db"):
        return
    for node in source.nodes(ast.Attribute):
        if node.attr in ENDINGS:
            message = f".{node.attr} belongs to core/db: raise to roll back, return to commit"
            yield source.finding("transaction", node.lineno, message)
