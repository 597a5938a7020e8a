from __future__ import annotations

import ast
from collections.abc import Iterator

from partywall.checks.source import Codebase, Finding, Source
from partywall.checks.tables import called_name


def generic_write(source: Source, _codebase: Codebase) -> Iterator[Finding]:
    """A public method must not write columns by name: nothing would check the names and types."""
    for function in source.functions():
        if function.name.startswith("_"):
            continue
        arguments = function.args
        given = {each.arg for each in (*arguments.posonlyargs, *arguments.args, *arguments.kwonlyargs)}
        given |= {arguments.kwarg.arg} if arguments.kwarg is not None else set()
        for node in ast.walk(function):
            if isinstance(node, ast.Call) and called_name(node) == "values" and _names_columns(node, given):
                yield source.finding("generic-write", node.lineno, "columns by name: take typed parameters")


def _names_columns(call: ast.Call, given: set[str]) -> bool:
    unpacked = [each.value for each in call.keywords if each.arg is None]
    return any(isinstance(each, ast.Name) and each.id in given for each in (*call.args, *unpacked))
