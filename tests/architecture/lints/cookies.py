"""A cookie of one server must never be sent to another that shares the client or part of its name."""

from __future__ import annotations

import ast
from collections.abc import Iterator

from partywall.checks.source import Codebase, Finding, Source
from partywall.checks.tables import called_name

MAKERS = {"AsyncClient", "Client", "create_async_httpx2_client"}
ERROR = "no_cookies"


def cookies(source: Source, _codebase: Codebase) -> Iterator[Finding]:
    """The function that creates an HTTP client passes it the cookie jar that stays empty."""
    safe = {call for function in source.functions() if ERROR in _called(function) for call in _makers(function)}
    for call in source.nodes(ast.Call):
        if called_name(call) in MAKERS and call not in safe:
            message = f"{called_name(call)} keeps cookies: give it {ERROR}()"
            yield source.finding("cookies", call.lineno, message)


def _called(function: ast.AST) -> set[str]:
    return {called_name(node) for node in ast.walk(function) if isinstance(node, ast.Call)}


def _makers(function: ast.AST) -> Iterator[ast.Call]:
    return (node for node in ast.walk(function) if isinstance(node, ast.Call) and called_name(node) in MAKERS)
