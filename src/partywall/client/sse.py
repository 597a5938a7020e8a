"""Server-sent events as the standard words them: fields, dispatched by an empty line."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class ServerEvent:
    """`id` is the last one sent so far, which is where a reader resumes. `data` is empty for a mere mark."""

    id: str
    type: str
    data: str


def parse(lines: Iterable[str]) -> Iterator[ServerEvent]:
    last_id, type_, data = "", "", list[str]()
    marked = False
    for line in lines:
        if not line:
            if data or marked:
                yield ServerEvent(last_id, type_ or "message", "\n".join(data))
            type_, data, marked = "", [], False
            continue
        name, _, value = line.partition(":")
        value = value.removeprefix(" ")
        if name == "data":
            data.append(value)
        elif name == "event":
            type_ = value
        elif name == "id" and "\0" not in value:
            last_id, marked = value, True


def lines(chunks: Iterable[bytes]) -> Iterator[str]:
    """Splits at line feeds alone: JSON may hold the other separators that `str.splitlines` knows."""
    rest = b""
    for chunk in chunks:
        *whole, rest = (rest + chunk).split(b"\n")
        yield from (line.removesuffix(b"\r").decode() for line in whole)
