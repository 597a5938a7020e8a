"""What is told of each answered request; `partywall.logs` writes it, without a web framework."""

from __future__ import annotations

import string
from collections.abc import Callable
from typing import Final
from urllib.parse import quote

# Of a path, as it is written.
LONGEST_PATH: Final = 1024
_AS_THEY_ARE: Final = string.punctuation.translate({ord(each): None for each in '"\\'})

type AccessEntry = dict[str, str | int | float | None]
type AccessLog = Callable[[AccessEntry], None]


def logged_path(path: str) -> str:
    """With what a log would write several times as long percent-encoded: all but printable ASCII, and quotes."""
    short = path[:LONGEST_PATH]
    if short.isascii() and short.isprintable() and '"' not in short and "\\" not in short:
        return short
    return quote(short, safe=_AS_THEY_ARE, errors="replace")[:LONGEST_PATH]
