"""A translated exception keeps its cause, so that the log shows what happened."""

from __future__ import annotations

import ast
from collections.abc import Iterator

from partywall.checks.source import Codebase, Finding, Source
from partywall.checks.tables import called_name
from tests.architecture.lints.entry_points import COMMAND_LINE

ONE_LINE = "UsageError"
HIDDEN = {"__cause__", "__context__", "__suppress_context__"}
MESSAGE = "keep the cause: `from error`, or explain which secret it would reveal"


def dropped_cause(source: Source, _codebase: Codebase) -> Iterator[Finding]:
    """A command's UsageError may drop it: the user reads only its one line."""
    for node in source.nodes(ast.Raise):
        if _is_none(node.cause) and not (source.inside(*COMMAND_LINE) and _refuses(node)):
            yield source.finding("dropped-cause", node.lineno, f"from None: {MESSAGE}")
    for name in source.nodes(ast.Attribute):
        if name.attr in HIDDEN and isinstance(name.ctx, ast.Store):
            yield source.finding("dropped-cause", name.lineno, f"{name.attr}: {MESSAGE}")


def _is_none(cause: ast.expr | None) -> bool:
    """Also in a conditional: `from error if harmless else None`."""
    return cause is not None and any(isinstance(node, ast.Constant) and node.value is None for node in ast.walk(cause))


def _refuses(node: ast.Raise) -> bool:
    return isinstance(node.exc, ast.Call) and called_name(node.exc) == ONE_LINE
