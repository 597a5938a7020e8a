from __future__ import annotations

import ast
from collections.abc import Iterator

from partywall.checks.source import Codebase, Finding, Function, Source


def any_in_signature(source: Source, _codebase: Codebase) -> Iterator[Finding]:
    """`Any` turns the type checker off; JSON is `JsonValue`, unknown values are `object`."""
    for function in source.functions():
        if any(_mentions_any(annotation) for annotation in _annotations(function)):
            yield source.finding("any", function.lineno, f"{function.name} has Any in its signature")
    for node in source.nodes(ast.AnnAssign):
        if _mentions_any(node.annotation):
            yield source.finding("any", node.lineno, f"{ast.unparse(node.target)} is declared with Any")


def _annotations(function: Function) -> Iterator[ast.expr]:
    arguments = function.args
    named = (
        *arguments.posonlyargs,
        *arguments.args,
        *arguments.kwonlyargs,
        arguments.vararg,
        arguments.kwarg,
    )
    yield from (argument.annotation for argument in named if argument and argument.annotation)
    if function.returns:
        yield function.returns


def _mentions_any(annotation: ast.expr) -> bool:
    return any(
        (isinstance(node, ast.Name) and node.id == "Any") or (isinstance(node, ast.Attribute) and node.attr == "Any")
        for node in ast.walk(annotation)
    )
