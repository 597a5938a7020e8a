"""The routes of the real application, as the framework serves them."""

from __future__ import annotations

import inspect
from collections.abc import Iterator
from dataclasses import dataclass
from functools import cache
from typing import NotRequired, TypedDict

from fastapi import FastAPI
from fastapi.dependencies.models import Dependant
from fastapi.routing import APIRoute, APIWebSocketRoute, RouteContext, iter_route_contexts
from pydantic import BaseModel, JsonValue
from pydantic.fields import FieldInfo

from partywall.main import create_app
from partywall.settings import CacheSettings, DatabaseSettings, Settings


class Content(TypedDict):
    schema: NotRequired[dict[str, object]]


class Answer(TypedDict):
    content: NotRequired[dict[str, Content]]
    headers: NotRequired[dict[str, JsonValue]]


class Operation(TypedDict):
    """The part of an OpenAPI operation that these tests read."""

    summary: NotRequired[str]
    description: NotRequired[str]
    tags: NotRequired[list[str]]
    security: NotRequired[list[dict[str, list[str]]]]
    responses: dict[str, Answer]


@cache
def application() -> FastAPI:
    """The application, not started, so it needs no engine."""
    return create_app(
        Settings(
            database=DatabaseSettings(engine="embedded"),
            cache=CacheSettings(engine="embedded"),
        )
    )


@cache
def contexts() -> tuple[RouteContext, ...]:
    return tuple(iter_route_contexts(application().routes))


def is_ours(context: RouteContext) -> bool:
    return isinstance(context.original_route, APIRoute | APIWebSocketRoute)


def is_socket(context: RouteContext) -> bool:
    return isinstance(context.original_route, APIWebSocketRoute)


@cache
def routes() -> tuple[Route, ...]:
    return tuple(Route(context) for context in contexts() if is_ours(context) and not is_socket(context))


@cache
def sockets() -> tuple[Route, ...]:
    return tuple(Route(context) for context in contexts() if is_socket(context))


@dataclass(frozen=True, eq=False)
class Route:
    context: RouteContext

    def __str__(self) -> str:
        return f"{'|'.join(sorted(self.context.methods or ('WS',)))} {self.path}"

    @property
    def path(self) -> str:
        """The path as in the OpenAPI document, without convertors."""
        return self.context.path_format or ""

    @property
    def name(self) -> str:
        return self.context.name or ""

    @property
    def methods(self) -> set[str]:
        return self.context.methods or set()

    @property
    def dependant(self) -> Dependant:
        dependant = self.context.dependant
        assert isinstance(dependant, Dependant)
        return dependant

    def tree(self) -> Iterator[Dependant]:
        """Every dependency that is called for this route, the endpoint first."""
        waiting = [self.dependant]
        while waiting:
            dependant = waiting.pop()
            yield dependant
            waiting.extend(dependant.dependencies)

    def calls(self, function: object) -> bool:
        return any(dependant.call is function for dependant in self.tree())

    def headers(self) -> set[str]:
        return {field.alias.lower() for dependant in self.tree() for field in dependant.header_params}

    def body_fields(self) -> list[FieldInfo]:
        return [field.field_info for dependant in self.tree() for field in dependant.body_params]


def operation_of(route: Route) -> Operation:
    """The OpenAPI document's description of a route."""
    [method] = route.methods
    operation: Operation = application().openapi()["paths"][route.path][method.lower()]
    return operation


def yielded_annotation(dependant: Dependant) -> str | None:
    """The type that a `yield` dependency yields; None for one that returns."""
    if dependant.call is None or not (
        inspect.isasyncgenfunction(dependant.call) or inspect.isgeneratorfunction(dependant.call)
    ):
        return None
    return str(inspect.get_annotations(dependant.call).get("return", ""))


def models_in(annotation: object) -> Iterator[type[BaseModel]]:
    """The pydantic models in a type, and those in their fields."""
    seen: set[type[BaseModel]] = set()
    waiting: list[object] = [annotation]
    while waiting:
        current = waiting.pop()
        if isinstance(current, type) and issubclass(current, BaseModel) and current not in seen:
            seen.add(current)
            yield current
            waiting.extend(field.annotation for field in current.model_fields.values())
        waiting.extend(getattr(current, "__args__", ()))
