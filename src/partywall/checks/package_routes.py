from __future__ import annotations

import ast
from collections.abc import Iterator
from typing import Final

from partywall.checks.package import Package, keyword, text_of
from partywall.checks.source import Finding, Source, bases
from partywall.checks.tables import called_name

_METHODS: Final = {"get", "post", "put", "patch", "delete", "head", "options"}
# What FastAPI serves without the dependencies of the router that includes it.
_BARE: Final = {"mount", "add_route", "add_websocket_route", "Mount", "Route", "WebSocketRoute", "websocket", "host"}

# The classes behind routes, and the names by which others are set.
_ROUTING: Final = {"APIRoute", "APIRouter", "APIWebSocketRoute", "BaseRoute", "Mount", "Route", "Router"}
_CLASSES: Final = {"route_class", "route_class_override"}


def principal(source: Source, package: Package) -> Iterator[Finding]:
    """Every route demands a principal; a public one belongs to no project."""
    for line, name in _own_classes(source):
        said = f"{name} may serve without a principal: use APIRouter and its routes as they are"
        yield source.finding("", line, said)
    if not source.stem.endswith("router"):
        return
    for call in source.nodes(ast.Call):
        if called_name(call) in _BARE:
            said = f"{called_name(call)} serves without a principal: use router.get, .post, .put, .patch or .delete"
            yield source.finding("", call.lineno, said)
    public, prefix = {name for call in package.features.values() for name in public_names(call)}, _prefix(source)
    for function in source.functions():
        for route in (each for each in function.decorator_list if isinstance(each, ast.Call)):
            path = text_of(route.args[0]) if called_name(route) in _METHODS and route.args else None
            if path is not None and function.name in public and "{project_id" in prefix + path:
                said = f"{function.name} opens a project without a principal: remove it from public_routes"
                yield source.finding("", route.lineno, said)


def _own_classes(source: Source) -> Iterator[tuple[int, str]]:
    """Classes of routes and routers, which can answer before the dependencies of the router."""
    for node in source.nodes(ast.ClassDef):
        if _ROUTING & set(bases(node)):
            yield node.lineno, node.name
    for keyword_given in source.nodes(ast.keyword):
        if keyword_given.arg in _CLASSES:
            yield keyword_given.lineno, keyword_given.arg
    for attribute in source.nodes(ast.Attribute):
        if attribute.attr in _CLASSES and isinstance(attribute.ctx, ast.Store):
            yield attribute.lineno, attribute.attr


def endpoints(package: Package) -> Iterator[tuple[Source, int, str]]:
    """The functions that routes call, with their places."""
    for source in package.sources:
        for function in source.functions():
            if any(isinstance(each, ast.Call) and called_name(each) in _METHODS for each in function.decorator_list):
                yield source, function.lineno, function.name


def public_names(feature: ast.Call) -> Iterator[str]:
    for node in ast.walk(keyword(feature, "public_routes") or ast.Constant(None)):
        if isinstance(node, ast.Constant) and isinstance(node.value, str):
            yield node.value


def _prefix(source: Source) -> str:
    routers = (call for call in source.nodes(ast.Call) if called_name(call) == "APIRouter")
    return "".join(text_of(keyword(call, "prefix")) or "" for call in routers)
