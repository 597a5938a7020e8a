"""Serves the API below a path of the proxy's host, such as `https://example.com/partywall`.

The application sees paths without it; it is added to the paths in answers.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from functools import cached_property
from typing import Final

from fastapi.routing import iter_route_contexts
from starlette.routing import BaseRoute
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from partywall.core.security.client_address import ClientAddresses
from partywall.settings.http import is_sub_path

_FORWARDED_PREFIX: Final = b"x-forwarded-prefix"
_STATE: Final = "sub_path"


def sub_path_of(scope: Scope) -> str:
    """The request's sub-path without a trailing slash; empty if there is none."""
    found: str = scope.get("state", {}).get(_STATE, "")
    return found


def first_segments(routes: Sequence[BaseRoute]) -> frozenset[str]:
    paths = (route.path for route in iter_route_contexts(routes))
    return frozenset(path.split("/", 2)[1] for path in paths if path)


class SubPath:
    """The outermost middleware. Accepts paths with and without the sub-path: proxies send either.

    `configured` overrides `X-Forwarded-Prefix`, which is read only from trusted proxies. `own` are the first segments
    of the application's paths, which tell the two apart.
    """

    def __init__(
        self, app: ASGIApp, *, configured: str, clients: ClientAddresses, own: Callable[[], frozenset[str]]
    ) -> None:
        self._app = app
        self._configured = configured
        self._clients = clients
        self._find_own = own

    @cached_property
    def _own(self) -> frozenset[str]:
        return self._find_own()

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        before = self._before(scope) if scope["type"] in ("http", "websocket") else ""
        if not before:
            await self._app(scope, receive, send)
            return

        async def send_below(message: Message) -> None:
            if message["type"] == "http.response.start":
                message["headers"] = [_below(before, *header) for header in message["headers"]]
            await send(message)

        await self._app(self._inside(scope, before), receive, send_below)

    def _before(self, scope: Scope) -> str:
        return self._configured or scope.get("root_path", "").rstrip("/") or self._forwarded(scope)

    def _forwarded(self, scope: Scope) -> str:
        values = [value for name, value in scope["headers"] if name == _FORWARDED_PREFIX]
        if not values or not self._clients.trusts(scope["client"][0] if scope.get("client") else None):
            return ""
        prefix = values[0].decode("latin-1").rstrip("/")
        return prefix if len(values) == 1 and is_sub_path(prefix) else ""

    def _inside(self, scope: Scope, before: str) -> Scope:
        """A copy of the scope with the same state, where the server reads what the application sets."""
        scope.setdefault("state", {})[_STATE] = before
        inside = {**scope, "root_path": ""}
        path = scope["path"]
        rest = path.removeprefix(before)
        if rest != path and rest.startswith("/") and rest.split("/", 2)[1] in self._own:
            inside["path"] = rest
            inside["raw_path"] = (scope.get("raw_path") or b"").removeprefix(before.encode()) or None
        return inside


def _below(before: str, name: bytes, value: bytes) -> tuple[bytes, bytes]:
    """Adds the sub-path to a header; only `Location` contains a path of ours."""
    if name.lower() == b"location" and value.startswith(b"/"):
        return name, before.encode() + value
    return name, value
