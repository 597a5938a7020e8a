"""What to do about a request that no route takes as it is."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Final

_API: Final = "/api/v1"
_LONGEST_TYPE: Final = 100


def of_path(path: str) -> str:
    """Of one that no route has."""
    if path != "/" and path.endswith("/"):
        return "No path ends with a slash."
    if path.endswith("/ws"):
        return "A path that ends with /ws is asked for as a WebSocket."
    if not path.startswith(_API + "/"):
        return f"Nothing is here; the paths of the API begin with {_API}/."
    return "No route has this path."


def of_method(method: str, allowed: Sequence[str]) -> str:
    return f"{method} is not served here: {', '.join(allowed)}."


def of_media_type(given: str, *, wants_form: bool) -> str:
    wanted = "a form" if wants_form else "application/json"
    said = repr(given[:_LONGEST_TYPE]) if given else "nothing"
    return f"The route reads {wanted}; the Content-Type says {said}."
