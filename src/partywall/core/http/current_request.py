"""The current request, for log lines."""

from __future__ import annotations

from contextvars import ContextVar
from typing import Final

from starlette.types import Scope

from partywall.core.http.trace_context import traceparent_of

_CURRENT: Final[ContextVar[Scope | None]] = ContextVar("partywall_request", default=None)


def begin_request(scope: Scope) -> None:
    _CURRENT.set(scope)


def request_facts() -> dict[str, str]:
    """`request_id`, plus `principal` and `project_id` once known; empty outside of requests."""
    scope = _CURRENT.get()
    if scope is None:
        return {}
    known = {**scope.get("path_params", {}), **scope["state"]}
    return {name: str(known[name]) for name in ("request_id", "principal", "project_id") if name in known}


def current_request_id() -> str | None:
    """None outside of requests."""
    scope = _CURRENT.get()
    return None if scope is None else str(scope["state"]["request_id"])


def request_traceparent() -> str | None:
    """The request's trace, if it came with one; None outside of requests."""
    scope = _CURRENT.get()
    return None if scope is None else traceparent_of(scope)
