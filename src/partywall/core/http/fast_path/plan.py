"""What a route gives to be served on the fast path."""

from __future__ import annotations

import re
from collections.abc import Awaitable, Callable, Mapping
from dataclasses import dataclass
from typing import Final, NamedTuple, Protocol

from fastapi.routing import RouteContext
from starlette.responses import Response
from starlette.routing import BaseRoute
from starlette.types import Scope

type RawHeaders = Mapping[bytes, bytes]
type Work = Callable[[], Awaitable[Response]]
type Begun = Callable[[bytes], Work | None]

_UUID: Final = "[0-9a-f]{8}-(?:[0-9a-f]{4}-){3}[0-9a-f]{12}"


class Body(NamedTuple):
    media_type: bytes
    most_bytes: int


@dataclass(frozen=True, slots=True)
class Target:
    """Which requests a plan is for: those of a route, with ids in canonical form."""

    route: BaseRoute
    method: str
    path: re.Pattern[str]

    @classmethod
    def of(cls, route: RouteContext) -> Target:
        [method] = route.methods or {""}
        return cls(route.original_route, method, _pattern(route.path_format or ""))


class Plan(Protocol):
    """How the fast path serves one route."""

    @property
    def target(self) -> Target: ...

    @property
    def body(self) -> Body | None:
        """None for requests without a body."""
        ...

    def begin(self, scope: Scope, path: Mapping[str, str], headers: RawHeaders) -> Begun | None:
        """What makes work of the body, or None for a request that the router serves."""
        ...


def _pattern(path: str) -> re.Pattern[str]:
    """The pattern of a path like `/projects/{project_id}` with canonical UUIDs; the router serves other forms."""
    fixed_and_names = re.split(r"\{(\w+)\}", path)
    fixed_and_names[0::2] = map(re.escape, fixed_and_names[0::2])
    fixed_and_names[1::2] = [f"(?P<{name}>{_UUID})" for name in fixed_and_names[1::2]]
    return re.compile("".join(fixed_and_names))
