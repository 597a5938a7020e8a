"""Makes a unified diff of two texts. Runs in a text process, so it imports little."""

from __future__ import annotations

import json
from io import StringIO
from typing import NamedTuple

from partywall.formats.line_diff import unified


class Header(NamedTuple):
    """Stands before both texts; `size` is that of the first in bytes."""

    context: int
    numbers: tuple[int, int]
    titles: tuple[str, str]
    size: int

    def written(self) -> bytes:
        return json.dumps(self).encode() + b"\n"


def compare(given: bytes) -> bytes:
    """The diff of the texts behind a header."""
    line, _, texts = given.partition(b"\n")
    header = Header(*json.loads(line))
    before, after = texts[: header.size].decode(), texts[header.size :].decode()
    written = StringIO()
    written.writelines(unified(before, after, header.context))  # a list of all lines would take more memory
    hunks = written.getvalue()
    if not hunks and header.titles[0] == header.titles[1]:
        return b""
    names = [
        f"version {number}: {' '.join(title.split())}"
        for number, title in zip(header.numbers, header.titles, strict=True)
    ]
    return f"--- {names[0]}\n+++ {names[1]}\n{hunks}".encode()
