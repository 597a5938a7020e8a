from __future__ import annotations

import ast
from collections.abc import Iterator

from partywall.checks.source import Codebase, Finding, Source

FEATURES = "partywall.features."
PRIVATE = {"models", "repository", "router"}
LAYERS = ("models", "repository", "schemas", "service", "dependencies", "router", "feature")


def slice_private(source: Source, _codebase: Codebase) -> Iterator[Finding]:
    """A slice's repository, models and router are private."""
    for imported in source.imports():
        owner, _, rest = imported.target.removeprefix(FEATURES).partition(".")
        if not imported.target.startswith(FEATURES) or owner == source.slice:
            continue
        if any(layer(part) in PRIVATE for part in rest.split(".")):
            message = f"{imported.target} is private to the slice {owner!r}: ask its service"
            yield source.finding("slice-private", imported.line, message)


def slice_order(source: Source, codebase: Codebase) -> Iterator[Finding]:
    """A slice imports only those that `features/registry.py` lists before it; events and jobs travel upwards."""
    if not source.slice:
        return
    below = codebase.order[: codebase.order.index(source.slice)] if source.slice in codebase.order else ()
    for imported in source.imports():
        owner = imported.target.removeprefix(FEATURES).partition(".")[0]
        if imported.target.startswith(FEATURES) and owner not in (source.slice, *below):
            message = f"{source.slice} imports {owner}, which does not come before it in features/registry.py"
            yield source.finding("slice-order", imported.line, message)


def slice_layer(source: Source, _codebase: Codebase) -> Iterator[Finding]:
    """The import contract for files split by use case: `read_router`, `version_repository`."""
    if not source.slice or source.stem == "__init__":
        return
    own = f"partywall.{'.'.join(source.path.parent.parts)}."
    rank = LAYERS.index(layer(source.stem) or "service")
    for imported in source.imports():
        if imported.target.startswith(own):
            above = layer(imported.target.removeprefix(own).partition(".")[0])
            if above and LAYERS.index(above) > rank:
                yield source.finding("slice-layer", imported.line, f"{source.stem} imports its slice's {above}")


def import_in_function(source: Source, _codebase: Codebase) -> Iterator[Finding]:
    for function in source.functions():
        for node in ast.walk(function):
            if isinstance(node, ast.Import | ast.ImportFrom):
                message = f"{function.name} imports when it runs: move the import to the top and remove any cycle"
                yield source.finding("import-in-function", node.lineno, message)


def layer(module: str) -> str | None:
    """`version_repository` counts as `repository`."""
    last = module.rpartition("_")[2]
    return last if last in LAYERS else None
