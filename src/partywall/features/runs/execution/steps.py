"""Short descriptions of a run's steps for the event log; never whole documents."""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import Final

from pydantic import JsonValue

MOST_CHARACTERS: Final = 200
_SURROGATES: Final = re.compile("[\ud800-\udfff]")
_TOO_LONG: Final[int] = 10**MOST_CHARACTERS


def clean(text: str) -> str:
    """Without U+0000 and lone surrogates, which the event log cannot store."""
    return _whole(text.replace("\x00", ""))


def clean_json(value: JsonValue) -> JsonValue:
    """Without lone surrogates, which cannot be sent as UTF-8."""
    match value:
        case str():
            return _whole(value)
        case list():
            return [clean_json(each) for each in value]
        case dict():
            return {_whole(name): clean_json(each) for name, each in value.items()}
    return value


def _whole(text: str) -> str:
    return text if text.isascii() else _SURROGATES.sub("\ufffd", text)


def short(value: object) -> JsonValue:
    """Numbers, booleans and None as they are; the beginning of a text; the size of anything else."""
    if isinstance(value, int) and abs(value) >= _TOO_LONG:
        return f"an integer of more than {MOST_CHARACTERS} digits"
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
