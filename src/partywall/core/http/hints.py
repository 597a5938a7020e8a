"""Error details for requests that match no route."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Final

_API: Final = "/api/v1"
_LONGEST_TYPE: Final = 100


def of_path(path: str) -> str:
    """For an unknown path."""
    if path != "/" and path.endswith("/"):
        return "No path ends with a slash."
    if path.endswith("/ws"):
        return "Paths that end with /ws serve WebSockets only."
    if not path.startswith(_API + "/"):
        return f"Not found; paths of the API begin with {_API}/."
    return "No route has this path."


def of_method(method: str, allowed: Sequence[str]) -> str:
    return f"{method} is not allowed here; use {', '.join(allowed)}."


def of_media_type(given: str, *, wants_form: bool) -> str:
    wanted = "a form" if wants_form else "application/json"
    said = repr(given[:_LONGEST_TYPE]) if given else "nothing"
    return f"The route reads {wanted}; the Content-Type says {said}."
