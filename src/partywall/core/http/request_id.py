from __future__ import annotations

import re
from typing import Final

from starlette.types import Scope

from partywall.core.ids import new_id_text

_SANE: Final = re.compile(rb"[A-Za-z0-9._:\-]{1,128}")


def choose_request_id(given: bytes | None) -> str:
    """The client's id if it is well-formed, else a new one."""
    if given is not None and _SANE.fullmatch(given):
        return given.decode("ascii")
    return new_id_text()


def request_id_of(scope: Scope) -> str:
    return str(scope.get("state", {}).get("request_id", ""))
