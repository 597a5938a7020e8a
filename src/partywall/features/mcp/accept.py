"""In which form a client reads answers, by its Accept header (RFC 9110, 12.5.1)."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import Self

from partywall.features.mcp.constants import MOST_MEDIA_RANGES


@dataclass(frozen=True, slots=True)
class AcceptedTypes:
    """`stream`: server-sent events are accepted, `asked`: by their own name and not by a wildcard."""

    json: bool
    stream: bool
    asked: bool

    @classmethod
    def of(cls, lines: Iterable[str]) -> Self:
        """Who does not say what it accepts gets JSON."""
        said = ",".join(lines)
        if not said.strip(" ,\t"):
            return cls(json=True, stream=False, asked=False)
        ranges = dict(map(_range, said.split(",", MOST_MEDIA_RANGES)[:MOST_MEDIA_RANGES]))
        stream = _allows(ranges, "text/event-stream")
        named = not ranges.keys().isdisjoint(("text/event-stream", "text/*"))
        return cls(json=_allows(ranges, "application/json"), stream=stream, asked=stream and named)


def _range(said: str) -> tuple[str, bool]:
    """A media range, and whether it is wanted at all."""
    name, *parameters = (part.strip().lower() for part in said.split(";"))
    return name, not any(_is_nought(parameter) for parameter in parameters)


def _is_nought(parameter: str) -> bool:
    name, _, value = parameter.partition("=")
    return name.strip() == "q" and value.strip() in ("0", "0.", "0.0", "0.00", "0.000")


def _allows(ranges: Mapping[str, bool], media_type: str) -> bool:
    """By the most specific range that names it."""
    for name in (media_type, f"{media_type.partition('/')[0]}/*", "*/*"):
        if name in ranges:
            return ranges[name]
    return False
