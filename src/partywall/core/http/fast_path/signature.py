"""What an endpoint and its dependencies need of a request, read from their signatures as FastAPI reads them."""

from __future__ import annotations

import inspect
from collections.abc import Awaitable, Callable, Mapping
from dataclasses import dataclass, field
from typing import Annotated, get_args, get_origin
from uuid import UUID

from fastapi import Request, params
from pydantic import BaseModel

type Function = Callable[..., Awaitable[object]]
# A parameter's name, a dependency's function, or `Request`.
type Key = object
type Model = tuple[str, type[BaseModel]]


@dataclass(frozen=True, slots=True)
class Call:
    function: Function
    arguments: tuple[tuple[str, Key], ...]

    def call(self, values: Mapping[Key, object]) -> Awaitable[object]:
        return self.function(**{name: values[key] for name, key in self.arguments})


@dataclass(frozen=True, slots=True)
class Signature:
    """`dependencies` are in the order in which they can be called."""

    endpoint: Call
    dependencies: tuple[Call, ...]
    query: Model | None
    body: Model | None
    headers: tuple[tuple[str, bytes], ...]
    request: bool


def read_signature(endpoint: Function, path: frozenset[str], given: frozenset[Key]) -> Signature:
    """`path` are the names in the route's path, `given` the dependencies that the caller resolves itself.

    Raises TypeError for parameters of other kinds.
    """
    reader = _Reader(path, given)
    call = reader.read(endpoint)
    if len(reader.queries) > 1 or len(reader.bodies) > 1:
        raise TypeError(f"{endpoint!r} is not fit for the fast path: it takes several models")
    query, body = next(iter(reader.queries.items()), None), next(iter(reader.bodies.items()), None)
    return Signature(call, tuple(reader.calls.values()), query, body, tuple(reader.headers.items()), reader.request)


@dataclass(slots=True)
class _Reader:
    path: frozenset[str]
    given: frozenset[Key]
    calls: dict[Function, Call] = field(default_factory=dict)
    queries: dict[str, type[BaseModel]] = field(default_factory=dict)
    bodies: dict[str, type[BaseModel]] = field(default_factory=dict)
    headers: dict[str, bytes] = field(default_factory=dict)
    request: bool = False

    def read(self, function: Function) -> Call:
        if not inspect.iscoroutinefunction(function):
            raise TypeError(f"{function!r} is not fit for the fast path: it is no coroutine function")
        parameters = inspect.signature(function, eval_str=True).parameters.values()
        try:
            return Call(function, tuple((each.name, self._key(each)) for each in parameters))
        except ValueError as error:
            raise TypeError(f"{function!r} is not fit for the fast path: {error}") from error

    def _key(self, parameter: inspect.Parameter) -> Key:
        name, annotation = parameter.name, parameter.annotation
        metadata: list[object] = []
        if get_origin(annotation) is Annotated:
            annotation, *metadata = get_args(annotation)
        match metadata:
            case [] if annotation is Request:
                self.request = True
                return Request
            case [] if name in self.path and annotation is UUID:
                return name
            case [] if _is_model(annotation):
                self.bodies[name] = annotation
            case [params.Query()] if _is_model(annotation):
                self.queries[name] = annotation
            case [params.Header() as header] if annotation == str | None and not header.metadata:
                self.headers[name] = (header.alias or name.replace("_", "-")).lower().encode()
            case [params.Depends(dependency=dependency)] if dependency is not None:
                return self._dependency(dependency)
            case _:
                raise ValueError(f"the parameter {name}")
        return name

    def _dependency(self, function: Function) -> Key:
        if function not in self.given and function not in self.calls:
            self.calls[function] = self.read(function)
        return function


def _is_model(annotation: object) -> bool:
    return isinstance(annotation, type) and issubclass(annotation, BaseModel)
