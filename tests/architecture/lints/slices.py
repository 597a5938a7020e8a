from __future__ import annotations

import ast
from collections.abc import Iterator

from tests.architecture.lints.source import Codebase, Finding, Source

FEATURES = "partywall.features."
PRIVATE = {"models", "repository", "router"}
BELOW_SCHEMAS = {"models", "repository"}


def slice_private(source: Source, _codebase: Codebase) -> Iterator[Finding]:
    """A slice's repository, models and router are its own."""
    for imported in source.imports():
        owner, _, rest = imported.target.removeprefix(FEATURES).partition(".")
        if not imported.target.startswith(FEATURES) or owner == source.slice:
            continue
        if layers(rest.partition(".")[0]) & PRIVATE:
            message = f"{imported.target} is private to the slice {owner!r}: ask its service"
            yield source.finding("slice-private", imported.line, message)


def schema_import(source: Source, _codebase: Codebase) -> Iterator[Finding]:
    """Tables and queries know nothing of the wire."""
    if not source.slice or not layers(source.stem) & BELOW_SCHEMAS:
        return
    for imported in source.imports():
        if imported.target.startswith(FEATURES) and any("schemas" in layers(p) for p in imported.target.split(".")):
            yield source.finding("schema-import", imported.line, f"{source.stem} imports no schemas")


def import_in_function(source: Source, _codebase: Codebase) -> Iterator[Finding]:
    for function in source.functions():
        for node in ast.walk(function):
            if isinstance(node, ast.Import | ast.ImportFrom):
                message = f"{function.name} imports when it runs; an import stands at the top or marks a ring"
                yield source.finding("import-in-function", node.lineno, message)


def layers(module: str) -> set[str]:
    """`version_repository` counts as `repository`."""
    return set(module.split("_"))
