"""What is told of a run's steps: short, and never a document."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Final

from pydantic import JsonValue

MOST_CHARACTERS: Final = 200


def clean(text: str) -> str:
    """What the log can hold: without U+0000 and lone surrogates."""
    return text.replace("\x00", "").encode("utf-8", "replace").decode()


def short(value: object) -> JsonValue:
    """A number or the like as it is; anything else as its first characters, or how much of it there is."""
    if value is None or isinstance(value, bool | int | float):
        return value
    if isinstance(value, str):
        text = clean(value)
        return text if len(text) <= MOST_CHARACTERS else text[: MOST_CHARACTERS - 1] + "…"
    if isinstance(value, Mapping):
        return f"{len(value)} fields"
    return f"{len(value)} items" if isinstance(value, list | tuple) else type(value).__name__


def short_arguments(arguments: Mapping[str, object]) -> dict[str, JsonValue]:
    return {clean(name)[:60]: short(value) for name, value in list(arguments.items())[:20]}
