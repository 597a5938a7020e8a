from __future__ import annotations

from dataclasses import dataclass

from starlette.types import Scope

from partywall.core.current_request import set_current_request
from partywall.core.http.trace_context import traceparent_of


@dataclass(slots=True)
class _RequestFacts:
    """Reads the scope when asked: later parts of the request add to it."""

    scope: Scope

    def facts(self) -> dict[str, str]:
        known = {**self.scope.get("path_params", {}), **self.scope["state"]}
        return {name: str(known[name]) for name in ("request_id", "principal", "project_id") if name in known}

    def traceparent(self) -> str | None:
        return traceparent_of(self.scope)


def begin_request(scope: Scope) -> None:
    """Makes this the current request."""
    set_current_request(_RequestFacts(scope))
