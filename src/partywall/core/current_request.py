"""The current request, for log lines, jobs and outgoing calls. `core.http` sets it."""

from __future__ import annotations

from contextvars import ContextVar
from typing import Final, Protocol


class CurrentRequest(Protocol):
    def facts(self) -> dict[str, str]:
        """`request_id`, plus `principal` and `project_id` once known."""
        ...

    def client(self) -> str | None:
        """The network that the request came from: /24, or /48 with IPv6."""
        ...

    def traceparent(self) -> str | None:
        """The request's trace, if it came with one."""
        ...


_CURRENT: Final[ContextVar[CurrentRequest | None]] = ContextVar("partywall_request", default=None)


def set_current_request(request: CurrentRequest) -> None:
    """Applies to this task from now on, and to tasks that it starts."""
    _CURRENT.set(request)


def request_facts() -> dict[str, str]:
    """Empty outside of requests."""
    request = _CURRENT.get()
    return {} if request is None else request.facts()


def current_request_id() -> str | None:
    """None outside of requests."""
    return request_facts().get("request_id")


def request_client() -> str | None:
    """None outside of requests."""
    request = _CURRENT.get()
    return None if request is None else request.client()


def request_traceparent() -> str | None:
    """None outside of requests, and for a request without a trace."""
    request = _CURRENT.get()
    return None if request is None else request.traceparent()
