"""Parses server-sent events (WHATWG HTML): fields, dispatched by an empty line."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from typing import Final

from partywall.client.errors import ClientError

LONGEST: Final = 8 * 1024 * 1024
"""The most characters of an event and bytes of a line: the server is not trusted."""


@dataclass(frozen=True, slots=True)
class ServerEvent:
    """`id` is the last one sent so far, where a reader resumes. `data` is empty if only an id was sent."""

    id: str
    type: str
    data: str


def parse(lines: Iterable[str]) -> Iterator[ServerEvent]:
    last_id, type_, data = "", "", list[str]()
    marked, held = False, 0
    for line in lines:
        if not line:
            if data or marked:
                yield ServerEvent(last_id, type_ or "message", "\n".join(data))
            type_, data, marked, held = "", [], False, 0
            continue
        name, _, value = line.partition(":")
        value = value.removeprefix(" ")
        if name == "data":
            data.append(value)
            held += len(line)
            if held > LONGEST:
                raise ClientError("the server's event stream is invalid: an event is too long")
        elif name == "event":
            type_ = value
        elif name == "id" and "\0" not in value:
            last_id, marked = value, True


def lines(chunks: Iterable[bytes]) -> Iterator[str]:
    """Splits at line feeds only: JSON may contain the other separators of `str.splitlines`."""
    held = bytearray()
    for chunk in chunks:
        first, *others = chunk.split(b"\n")
        held += first
        for other in others:
            yield held.removesuffix(b"\r").decode(errors="replace")
            held = bytearray(other)
        if len(held) > LONGEST:
            raise ClientError("the server's event stream is invalid: a line is too long")
