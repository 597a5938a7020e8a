"""The hot lane: the same endpoint, the same declared parameters, without the general dependency machinery.

A `HotRoute` serves what is ordinary itself: a bearer token verified before, parameters that parse. Everything else, and
every refusal, goes through FastAPI's own handler, so there is one definition of an endpoint and of its errors.
"""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Coroutine, Mapping
from dataclasses import dataclass
from typing import Final
from uuid import UUID

from fastapi import Request
from fastapi.dependencies.models import Dependant
from fastapi.routing import APIRoute
from pydantic import BaseModel, ValidationError
from starlette.responses import Response

from partywall.core.db.scoped_read import ScopedReader
from partywall.core.http.dependencies import bearer_token, get_scoped_reader, remember_principal
from partywall.core.resources import Resources

type Handler = Callable[[Request], Coroutine[object, object, Response]]
type Endpoint = Callable[..., Awaitable[Response]]

_UNSET: Final = object()


@dataclass(frozen=True, slots=True)
class HotPlan:
    """How to call one endpoint: its UUID path parameters, one query model, plain headers, one scoped reader."""

    endpoint: Endpoint
    reader: str
    path: tuple[str, ...]
    query: tuple[str, type[BaseModel], BaseModel] | None
    headers: tuple[tuple[str, str], ...]

    @classmethod
    def of(cls, dependant: Dependant) -> HotPlan:
        """Reads FastAPI's own analysis of the signature; raises TypeError at start for one it cannot serve."""
        readers = [each for each in dependant.dependencies if each.call is get_scoped_reader and each.name]
        models = list(dependant.query_params)
        plain = all(field.field_info.annotation is UUID for field in dependant.path_params)
        if len(readers) != 1 or len(dependant.dependencies) != 1 or not plain or len(models) > 1:
            raise TypeError(f"{dependant.call!r} is not fit for the hot lane")
        return cls(
            endpoint=dependant.call,  # type: ignore[arg-type]  # FastAPI types it as any callable
            reader=str(readers[0].name),
            path=tuple(field.name for field in dependant.path_params),
            query=_query_model(models[0].name, models[0].field_info.annotation) if models else None,
            headers=tuple((field.name, field.alias.lower()) for field in dependant.header_params),
        )

    def arguments(self, request: Request) -> dict[str, object] | None:
        """The endpoint's arguments, or None where the general handler must look closer."""
        resources: Resources = request.app.state.resources
        token = bearer_token(request.headers.get("authorization"))
        principal = resources.authenticator.cached(token) if token else None
        if principal is None:
            return None
        found: dict[str, object] = {self.reader: ScopedReader(resources.reads, principal)}
        if not self._parse(request, found):
            return None
        remember_principal(request, principal)
        return found

    def _parse(self, request: Request, into: dict[str, object]) -> bool:
        try:
            for name in self.path:
                into[name] = UUID(request.path_params[name])
            if self.query is not None:
                name, model, defaults = self.query
                raw = request.scope["query_string"]
                into[name] = model.model_validate(_flat(request.query_params)) if raw else defaults
        except (ValueError, ValidationError):
            return False
        for name, alias in self.headers:
            into[name] = request.headers.get(alias)
        return True


def _query_model(name: str, model: object) -> tuple[str, type[BaseModel], BaseModel]:
    if not (isinstance(model, type) and issubclass(model, BaseModel)):
        raise TypeError(f"the hot lane takes one query model, not {name}: {model!r}")
    return name, model, model()


def _flat(params: Mapping[str, str]) -> dict[str, str]:
    return dict(params.items())


class HotRoute(APIRoute):
    """Used as `route_class` of a router whose endpoints answer with a `Response` of their own."""

    def get_route_handler(self) -> Handler:
        general = super().get_route_handler()
        plan = HotPlan.of(self.dependant)

        async def handle(request: Request) -> Response:
            arguments = plan.arguments(request)
            if arguments is None:
                return await general(request)
            return await plan.endpoint(**arguments)

        return handle
