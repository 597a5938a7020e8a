"""Parses the Accept header (RFC 9110, 12.5.1)."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import Self

from partywall.features.mcp.constants import MOST_MEDIA_RANGES


@dataclass(frozen=True, slots=True)
class AcceptedTypes:
    """`stream`: server-sent events are accepted. `asked`: they are named, not only matched by `*/*`."""

    json: bool
    stream: bool
    asked: bool

    @classmethod
    def of(cls, lines: Iterable[str]) -> Self:
        """Without an Accept header, only JSON is accepted."""
        said = ",".join(lines)
        if not said.strip(" ,\t"):
            return cls(json=True, stream=False, asked=False)
        ranges = dict(map(_range, said.split(",", MOST_MEDIA_RANGES)[:MOST_MEDIA_RANGES]))
        stream = _allows(ranges, "text/event-stream")
        named = not ranges.keys().isdisjoint(("text/event-stream", "text/*"))
        return cls(json=_allows(ranges, "application/json"), stream=stream, asked=stream and named)


def _range(said: str) -> tuple[str, bool]:
    """A media range, and whether its quality is above zero."""
    name, *parameters = (part.strip().lower() for part in said.split(";"))
    return name, not any(_is_zero_quality(parameter) for parameter in parameters)


def _is_zero_quality(parameter: str) -> bool:
    name, _, value = parameter.partition("=")
    return name.strip() == "q" and value.strip() in ("0", "0.", "0.0", "0.00", "0.000")


def _allows(ranges: Mapping[str, bool], media_type: str) -> bool:
    """Whether the most specific matching range allows the type."""
    for name in (media_type, f"{media_type.partition('/')[0]}/*", "*/*"):
        if name in ranges:
            return ranges[name]
    return False
