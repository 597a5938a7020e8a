"""What `feature.py` declares: names, and references that lead somewhere."""

from __future__ import annotations

import ast
import re
from collections import Counter
from collections.abc import Iterator
from dataclasses import fields
from importlib.metadata import entry_points
from typing import Final

from partywall.checks import package_routes
from partywall.checks.package import GROUP, Package, keyword, text_of
from partywall.checks.source import Finding, Source
from partywall.checks.tables import called_name
from partywall.core.feature import Feature
from partywall.core.own_feature import CORE
from partywall.extensions.name_checks import is_valid_name
from partywall.extensions.taken_names import why_taken
from partywall.features.registry import FEATURES

# Calls whose first argument is a name that begins with the feature's name and a dot.
_NAMED: Final = {"EventType": "event", "Right": "right", "JobKind": "job", "Schedule": "schedule"}
# Calls with `name=`, which begins with the feature's name and `_`.
_OFFERED: Final = {"ProjectTool": "tool", "AgentDefinition": "agent"}
_REST: Final = re.compile(r"[a-z][a-z_]*")


def entry_point(package: Package) -> Iterator[Finding]:
    """Every entry point leads to a `Feature` with its name."""
    for name, target in package.project.entry_points.items():
        line, call = package.project.line(target), package.features.get(target)
        if not is_valid_name(name):
            said = f"{name!a} is no valid name: use at most 40 lower case letters and _"
            yield Finding("pyproject.toml", line, "", said)
        elif call is None:
            said = f"{target} is no Feature: name its module and variable, such as {package.name}.feature:feature"
            yield Finding("pyproject.toml", line, "", said)
        elif text_of(keyword(call, "name")) != name:
            yield Finding("pyproject.toml", line, "", f"{target} calls itself otherwise: give it name={name!r}")


def _fields(source: Source) -> Iterator[Finding]:
    """`Feature(...)` has no other fields than ours."""
    known = {each.name for each in fields(Feature)}
    for call in source.nodes(ast.Call):
        for name in (each.arg for each in call.keywords if called_name(call) == "Feature"):
            if name is not None and name not in known:
                said = f"Feature has no field {name}: use one of docs/reference/extension-api.md"
                yield source.finding("", call.lineno, said)


def feature_name(package: Package) -> Iterator[Finding]:
    """No other feature, ours or installed, has the name, and nothing of ours in the database begins with it."""
    ours = {feature.name for feature in (*FEATURES, CORE)}
    for name, target in package.project.entry_points.items():
        others = {each.dist.name for each in entry_points(group=GROUP, name=name) if each.dist is not None}
        owner = "Partywall" if name in ours else next(iter(others - {package.project.name}), None)
        if owner is not None:
            line = package.project.line(target)
            yield Finding("pyproject.toml", line, "", f"{owner} has a feature {name} already: choose another name")
        for why in why_taken(name, package.project.entry_points):
            yield Finding("pyproject.toml", package.project.line(target), "", f"the feature {name} {why}")


def names(source: Source, package: Package) -> Iterator[Finding]:
    """Rights, events, jobs and schedules begin with the feature's name and a dot, tools and agents with it and `_`."""
    if not package.feature_names:
        return
    for call in source.nodes(ast.Call):
        kind = _NAMED.get(called_name(call))
        if kind is not None:
            name = text_of(call.args[0]) if call.args else text_of(keyword(call, "name"))
            prefix, _, rest = (name or "").partition(".")
            if name is not None and not (prefix in package.feature_names and _REST.fullmatch(rest)):
                yield source.finding("", call.lineno, f"the {kind} {name} has no prefix: call it {package.prefix}.NAME")
        offered = _OFFERED.get(called_name(call))
        name = text_of(keyword(call, "name")) if offered is not None else None
        if name is not None and not name.startswith(tuple(f"{each}_" for each in package.feature_names)):
            yield source.finding("", call.lineno, f"the {offered} {name} has no prefix: call it {package.prefix}_NAME")


def twice(source: Source, package: Package) -> Iterator[Finding]:
    """No name is declared twice."""
    seen: set[tuple[str, str]] = set()
    for where, call in package.calls(*_NAMED, *_OFFERED):
        kind = called_name(call)
        name = text_of(call.args[0]) if call.args else text_of(keyword(call, "name"))
        if name is not None and (kind, name) in seen and where is source:
            said = f"the {(_NAMED | _OFFERED)[kind]} {name} is declared twice: rename one of them"
            yield source.finding("", call.lineno, said)
        if name is not None:
            seen.add((kind, name))
    for call in source.nodes(ast.Call):
        for field in (each for each in call.keywords if called_name(call) == "Feature"):
            listed = field.value.elts if isinstance(field.value, ast.Tuple | ast.List) else []
            for text, times in Counter(map(ast.unparse, listed)).items():
                if times > 1:
                    yield source.finding("", field.value.lineno, f"{field.arg} lists {text} twice: remove one of them")
    routes = list(package_routes.endpoints(package))
    counted = Counter(name for *_, name in routes)
    for where, line, name in routes:
        if where is source and counted[name] > 1:
            yield source.finding("", line, f"the endpoint {name} is declared twice: rename one of them")


def undeclared_events(source: Source, package: Package) -> Iterator[Finding]:
    """Every event that is written is declared."""
    declared = {text_of(call.args[0]) for _, call in package.calls("EventType") if call.args}
    for call in source.nodes(ast.Call):
        name = text_of(call.args[0]) if called_name(call) == "EventDraft" and call.args else None
        if name is not None and name not in declared:
            said = f"the event {name} is not declared: add EventType({name!r}, ...) to the feature's events"
            yield source.finding("", call.lineno, said)


def references(source: Source, package: Package) -> Iterator[Finding]:
    """`lazy("module:name")`, fields, public routes and the migrations lead to something that exists."""
    yield from _fields(source)
    endpoints = {name for _, _, name in package_routes.endpoints(package)}
    for call in source.nodes(ast.Call):
        target = text_of(call.args[0]) if called_name(call) == "lazy" and call.args else None
        if target is not None and not _leads_somewhere(package, target):
            yield source.finding("", call.lineno, f"{target} does not exist in this package: correct the name")
        for name in package_routes.public_names(call) if called_name(call) == "Feature" else ():
            if name not in endpoints:
                yield source.finding("", call.lineno, f"there is no public route {name}: correct or remove the name")
        folder = text_of(keyword(call, "migrations")) if called_name(call) == "Feature" else None
        if folder is not None and not any(package.dotted(each).startswith(f"{folder}.") for each in package.sources):
            yield source.finding("", call.lineno, f"{folder} contains no migrations: correct the name")


def _leads_somewhere(package: Package, target: str) -> bool:
    module, _, name = target.partition(":")
    source = package.module(module)
    if source is None or not name:
        return source is not None
    return name.partition(".")[0] in set(_bound(source.tree.body))


def _bound(statements: list[ast.stmt]) -> Iterator[str]:
    for node in statements:
        if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef | ast.ClassDef):
            yield node.name
        elif isinstance(node, ast.Import | ast.ImportFrom):
            yield from (alias.asname or alias.name for alias in node.names)
        else:
            yield from (each.id for each in ast.walk(node) if isinstance(each, ast.Name))
