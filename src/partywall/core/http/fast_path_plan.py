"""The fast path's plan of one endpoint: FastAPI's analysis of its signature, read once at start."""

from __future__ import annotations

import re
from collections.abc import Awaitable, Callable, Mapping
from dataclasses import dataclass
from typing import Final, cast
from urllib.parse import parse_qsl
from uuid import UUID

from fastapi import Request
from fastapi._compat import ModelField
from fastapi.dependencies.models import Dependant
from fastapi.routing import RouteContext
from pydantic import BaseModel
from pydantic_core import from_json
from starlette.responses import Response
from starlette.types import Scope

from partywall.core.http.body_limits import ORDINARY_VALUES
from partywall.core.http.dependencies import get_resources, get_scoped_reader, get_scoped_writer, require_principal
from partywall.core.http.idempotency import get_idempotency
from partywall.core.http.json_size import has_more_values_than
from partywall.core.resources import Resources
from partywall.core.tenancy import Principal

type Endpoint = Callable[..., Awaitable[Response]]
type Model = tuple[str, type[BaseModel]]
type RawHeaders = Mapping[bytes, bytes]

_UUID: Final = "[0-9a-f]{8}-(?:[0-9a-f]{4}-){3}[0-9a-f]{12}"


@dataclass(frozen=True, slots=True)
class Caller:
    resources: Resources
    principal: Principal
    scope: Scope

    @property
    def request(self) -> Request:
        return Request(self.scope)


type Provider = Callable[[Caller], Awaitable[object]]


async def _provide_reader(caller: Caller) -> object:
    return await get_scoped_reader(caller.resources, caller.principal)


async def _provide_writer(caller: Caller) -> object:
    return caller.resources.writer(caller.principal)


async def _provide_idempotency(caller: Caller) -> object:
    return await get_idempotency(caller.request, caller.principal)


# Providers for requests without an Idempotency-Key; the router serves those with one.
_GIVEN: Final[Mapping[object, Provider]] = {
    get_scoped_reader: _provide_reader,
    get_scoped_writer: _provide_writer,
    get_idempotency: _provide_idempotency,
}


@dataclass(frozen=True, slots=True)
class FastPathPlan:
    """How the fast path calls one endpoint."""

    method: str
    path: re.Pattern[str]
    endpoint: Endpoint
    given: tuple[tuple[str, Provider], ...]
    request: str | None
    query: Model | None
    body: Model | None
    headers: tuple[tuple[str, bytes], ...]

    @classmethod
    def of(cls, route: RouteContext) -> FastPathPlan:
        """Raises TypeError, at start, for a signature that the fast path cannot serve."""
        dependant: Dependant = route.dependant
        [method] = route.methods or {""}
        plain_headers = all(not field.field_info.metadata for field in dependant.header_params)
        uuids = all(field.field_info.annotation is UUID for field in dependant.path_params)
        if not uuids or not plain_headers or dependant.cookie_params:
            raise TypeError(f"{dependant.call!r} is not fit for the fast path")
        return cls(
            method=method,
            path=_pattern(route.path_format or ""),
            endpoint=cast("Endpoint", dependant.call),
            given=tuple(
                (str(each.name), _provider(each))
                for each in dependant.dependencies
                if each.call is not require_principal
            ),
            request=dependant.request_param_name,
            query=_one_model(dependant.query_params),
            body=_one_model(dependant.body_params),
            headers=tuple((field.name, field.alias.lower().encode()) for field in dependant.header_params),
        )

    def parameters(
        self, path: Mapping[str, str], query: bytes, headers: RawHeaders, body: bytes
    ) -> dict[str, object] | None:
        """The endpoint's arguments, or None if the request is not valid."""
        found: dict[str, object] = {name: UUID(value) for name, value in path.items()}
        try:
            if self.query is not None:
                name, model = self.query
                found[name] = model.model_validate(dict(parse_qsl(query.decode("latin-1"), True)) if query else {})
            if self.body is not None:
                name, model = self.body
                if has_more_values_than(ORDINARY_VALUES, body):
                    return None
                found[name] = model.model_validate(from_json(body))
        except ValueError:
            return None
        for name, header in self.headers:
            value = headers.get(header)
            found[name] = None if value is None else value.decode("latin-1")
        return found


def _pattern(path: str) -> re.Pattern[str]:
    """The pattern of a path like `/projects/{project_id}` with canonical UUIDs; the router serves other forms."""
    fixed_and_names = re.split(r"\{(\w+)\}", path)
    fixed_and_names[0::2] = map(re.escape, fixed_and_names[0::2])
    fixed_and_names[1::2] = [f"(?P<{name}>{_UUID})" for name in fixed_and_names[1::2]]
    return re.compile("".join(fixed_and_names))


def _provider(dependant: Dependant) -> Provider:
    if dependant.call in _GIVEN:
        return _GIVEN[dependant.call]
    own = [*dependant.path_params, *dependant.query_params, *dependant.header_params, *dependant.cookie_params]
    if own or [each.call for each in dependant.dependencies] != [get_resources]:
        raise TypeError(f"{dependant.call!r} is not fit for the fast path")
    provide = cast("Callable[[Resources], Awaitable[object]]", dependant.call)

    async def provided(caller: Caller) -> object:
        return await provide(caller.resources)

    return provided


def _one_model(fields: list[ModelField]) -> Model | None:
    if not fields:
        return None
    [field] = fields
    model = field.field_info.annotation
    if not (isinstance(model, type) and issubclass(model, BaseModel)) or getattr(field.field_info, "embed", None):
        raise TypeError(f"the fast path takes one model, not {field.name}: {model!r}")
    return field.name, model
