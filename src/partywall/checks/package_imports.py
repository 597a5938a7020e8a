"""What a package imports: `partywall.api`, and what it depends on."""

from __future__ import annotations

import re
import sys
from collections.abc import Iterator
from functools import cache
from importlib.metadata import PackageNotFoundError, packages_distributions, requires
from typing import Final

from partywall.checks.package import Package
from partywall.checks.source import OURS, Finding, Source

_WEB: Final = ("fastapi", "starlette", "partywall.api.http")
_ROUTES: Final = ("router", "dependencies")
_NAME: Final = re.compile(r"[A-Za-z0-9._-]+")


def api_import(source: Source, _package: Package) -> Iterator[Finding]:
    """Only `partywall.api` is stable."""
    for imported in source.imports():
        parts = imported.target.split(".")
        if parts[0] == OURS and parts[1:2] != ["api"]:
            said = f"{imported.target} is not stable: use partywall.api (docs/reference/extension-api.md)"
            yield source.finding("", imported.line, said)


def dependency(source: Source, package: Package) -> Iterator[Finding]:
    """Every imported package is a dependency of this one, or comes with Partywall."""
    declared = {_normal(each) for each in package.project.dependencies}
    available = declared | (_with_partywall() if OURS in declared else set())
    for imported in source.imports():
        top = imported.module.partition(".")[0]
        if top in sys.stdlib_module_names or top == package.name:
            continue
        offered = {_normal(each) for each in _distributions().get(top, [top])}
        if not offered & available:
            said = f"{top} is not a dependency: add {min(offered)} to dependencies in pyproject.toml"
            yield source.finding("", imported.line, said)


def web_framework(source: Source, _package: Package) -> Iterator[Finding]:
    """Workers import neither routers nor a web framework."""
    if source.stem.endswith(_ROUTES):
        return
    for imported in source.imports():
        if any(imported.target == each or imported.target.startswith(f"{each}.") for each in _WEB):
            said = f"{imported.module} is for routers and dependencies: move this to {' or '.join(_ROUTES)}.py"
            yield source.finding("", imported.line, said)


@cache
def _distributions() -> dict[str, list[str]]:
    return dict(packages_distributions())


@cache
def _with_partywall() -> set[str]:
    try:
        return {OURS, *(_normal(each) for each in requires(OURS) or () if "extra ==" not in each)}
    except PackageNotFoundError:
        return {OURS}


def _normal(requirement: str) -> str:
    found = _NAME.match(requirement)
    return re.sub(r"[-_.]+", "-", found[0]).lower() if found else ""
