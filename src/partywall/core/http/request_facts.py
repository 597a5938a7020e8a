"""What is known of a request: its id, its trace, who makes it and in which project."""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import Final

from starlette.requests import HTTPConnection
from starlette.types import Scope

from partywall.core.current_request import set_current_request
from partywall.core.http.dependencies import client_address
from partywall.core.ids import new_id_text
from partywall.core.resources import Resources
from partywall.core.security.client_address import neighbourhood

_SANE: Final = re.compile(rb"[A-Za-z0-9._:\-]{1,128}")
# W3C Trace Context, from the sender to outgoing calls. The same four fields are read from later versions and passed on
# as version 00, as the recommendation says.
_GIVEN: Final = re.compile(rb"(?!ff)[0-9a-f]{2}-((?!0{32})[0-9a-f]{32}-(?!0{16})[0-9a-f]{16}-[0-9a-f]{2})(?:-.*)?")
_LONGEST: Final = 200


def choose_request_id(given: bytes | None) -> str:
    """The client's id if it is well-formed, else a new one."""
    if given is not None and _SANE.fullmatch(given):
        return given.decode("ascii")
    return new_id_text()


def request_id_of(scope: Scope) -> str:
    return str(scope.get("state", {}).get("request_id", ""))


def read_traceparent(given: bytes | None) -> str | None:
    """The header if it is valid, without additions of later versions; None otherwise."""
    if given is None or len(given) > _LONGEST:
        return None
    found = _GIVEN.fullmatch(given)
    if found is None or (given.startswith(b"00-") and len(given) != len(b"00-") + len(found[1])):
        return None
    return f"00-{found[1].decode()}"


def traceparent_of(scope: Scope) -> str | None:
    """The request's trace; None if the header occurs several times."""
    given = [value for name, value in scope["headers"] if name == b"traceparent"]
    return read_traceparent(given[0]) if len(given) == 1 else None


@dataclass(slots=True)
class _RequestFacts:
    """Reads the scope when asked: later parts of the request add to it."""

    scope: Scope

    def facts(self) -> dict[str, str]:
        known = {**self.scope.get("path_params", {}), **self.scope["state"]}
        return {name: str(known[name]) for name in ("request_id", "principal", "project_id") if name in known}

    def client(self) -> str | None:
        app = self.scope.get("app")
        if app is None:
            return None
        resources: Resources = app.state.resources
        return neighbourhood(client_address(HTTPConnection(self.scope), resources))

    def traceparent(self) -> str | None:
        return traceparent_of(self.scope)


def begin_request(scope: Scope) -> None:
    """Makes this the current request."""
    set_current_request(_RequestFacts(scope))
