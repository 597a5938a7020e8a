"""Describes a pattern or a parser to the growth test."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field

from pydantic import TypeAdapter
from typing_extensions import TypeForm

from tests.growth.shapes import Shape

type Subscription = Callable[[str], object]

DOCUMENT = 10 * 1024 * 1024
HEADERS = 64 * 1024


@dataclass(frozen=True)
class Reader:
    """`feed` reads one text. `places` are the patterns and calls that it covers, named as in the lint.

    `most` is the longest text that can reach it, in characters, and `seconds` the CPU time that such a text may take.
    `shapes` target these patterns. An exception in `refusing` counts as an answer.
    """

    places: tuple[str, ...]
    feed: Subscription
    most: int
    shapes: Mapping[str, Shape] = field(default_factory=dict)
    seconds: float = 0.25
    refusing: tuple[type[Exception], ...] = ()


def validating[T](kind: TypeForm[T]) -> Subscription:
    return TypeAdapter(kind).validate_python
