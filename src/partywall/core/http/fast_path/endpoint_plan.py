"""The plan of an endpoint that the fast path calls itself, with what its signature names."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from functools import partial
from typing import Final, Self
from urllib.parse import parse_qsl
from uuid import UUID

from fastapi import Request
from fastapi.routing import RouteContext
from pydantic_core import from_json
from starlette.responses import Response
from starlette.types import Scope

from partywall.core.http.body_limits import ORDINARY_BYTES, ORDINARY_VALUES, has_more_values_than
from partywall.core.http.dependencies import (
    bearer_token,
    get_keyed_session,
    get_principal,
    get_resources,
    remember_principal,
    require_principal,
)
from partywall.core.http.fast_path.plan import Begun, Body, RawHeaders, Target, Work
from partywall.core.http.fast_path.signature import Key, Signature, read_signature
from partywall.core.http.idempotent import without_key
from partywall.core.resources import Resources
from partywall.core.tenancy import Principal

# The dependencies that the fast path resolves itself.
_GIVEN: Final[frozenset[Key]] = frozenset({get_resources, get_principal, get_keyed_session})
_JSON: Final = Body(b"application/json", ORDINARY_BYTES)

type Values = dict[Key, object]


@dataclass(frozen=True, slots=True)
class EndpointPlan:
    target: Target
    signature: Signature
    body: Body | None

    @classmethod
    def of(cls, route: RouteContext) -> Self:
        """Raises TypeError, at start, for a signature that the fast path cannot serve."""
        assert route.endpoint is not None
        if any(each.dependency is not require_principal for each in route.dependencies):
            raise TypeError(f"{route.endpoint!r} is not fit for the fast path: its route has dependencies")
        target = Target.of(route)
        signature = read_signature(without_key(route.endpoint), frozenset(target.path.groupindex), _GIVEN)
        return cls(target, signature, None if signature.body is None else _JSON)

    def begin(self, scope: Scope, path: Mapping[str, str], headers: RawHeaders) -> Begun | None:
        """None unless the caller's token was verified recently."""
        if b"transfer-encoding" in headers:
            return None
        resources: Resources = scope["app"].state.resources
        token = bearer_token(headers.get(b"authorization", b"").decode("latin-1"))
        principal = resources.authenticator.cached(token) if token else None
        if principal is None:
            return None
        values: Values = {get_resources: resources, get_principal: principal, get_keyed_session: None}
        for name, value in path.items():
            values[name] = UUID(value)
        for name, header in self.signature.headers:
            found = headers.get(header)
            values[name] = None if found is None else found.decode("latin-1")
        return partial(self._work, scope, principal, values)

    def _work(self, scope: Scope, principal: Principal, values: Values, body: bytes) -> Work | None:
        """None if query or body are not valid."""
        query = scope["query_string"]
        try:
            if self.signature.query is not None:
                name, model = self.signature.query
                values[name] = model.model_validate(dict(parse_qsl(query.decode("latin-1"), True)) if query else {})
            if self.signature.body is not None:
                name, model = self.signature.body
                if has_more_values_than(ORDINARY_VALUES, body):
                    return None
                values[name] = model.model_validate(from_json(body))
        except ValueError:
            return None
        return partial(self._run, scope, principal, values)

    async def _run(self, scope: Scope, principal: Principal, values: Values) -> Response:
        remember_principal(scope, principal)
        if self.signature.request:
            values[Request] = Request(scope)
        for dependency in self.signature.dependencies:
            values[dependency.function] = await dependency.call(values)
        answer = await self.signature.endpoint.call(values)
        assert isinstance(answer, Response)
        return answer
