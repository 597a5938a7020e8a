"""The access log's entries; `partywall.logs` writes them, without importing a web framework."""

from __future__ import annotations

import string
from collections.abc import Callable
from typing import Final
from urllib.parse import quote

# The longest logged path, as written.
LONGEST_PATH: Final = 1024
_AS_THEY_ARE: Final = string.punctuation.translate({ord(each): None for each in '"\\'})

type AccessEntry = dict[str, str | int | float | None]
type AccessLog = Callable[[AccessEntry], None]


def logged_path(path: str) -> str:
    """The path with all but printable ASCII percent-encoded, and quotes too: a log would escape them at length."""
    short = path[:LONGEST_PATH]
    if short.isascii() and short.isprintable() and '"' not in short and "\\" not in short:
        return short
    return quote(short, safe=_AS_THEY_ARE, errors="replace")[:LONGEST_PATH]
