"""Macros of Org: texts that a file defines with `#+MACRO:` and uses as `{{{name(arguments)}}}`."""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from typing import Final

_DEFINITION: Final = re.compile(r"\s*#\+macro:\s+(?P<name>[A-Za-z][\w-]{0,60})\s+(?P<text>\S.{0,1000})", re.IGNORECASE)
_ARGUMENT: Final = re.compile(r"\$([0-9])")
_COMMA: Final = re.compile(r"(?<!\\),\s*")
_MOST: Final = 1_000
_MOST_CHARACTERS: Final = 100_000


@dataclass(slots=True)
class Macros:
    """`left` is how many characters may still come from definitions."""

    texts: Mapping[str, str] = field(default_factory=dict)
    left: int = _MOST_CHARACTERS

    def text_of(self, name: str, arguments: str) -> str:
        """The arguments, if the file does not define the macro."""
        text = self.texts.get(name.lower())
        if text is None or self.left <= 0:
            return arguments.replace("\\,", ",")
        given = [arguments, *_COMMA.split(arguments, maxsplit=9)]
        given = [each.replace("\\,", ",") for each in given]
        found = _ARGUMENT.sub(lambda number: given[int(number[1])] if int(number[1]) < len(given) else "", text)
        self.left -= len(found)
        return found


def macros_of(lines: Iterable[str]) -> Macros:
    texts: dict[str, str] = {}
    for line in lines:
        if len(texts) < _MOST and line.lstrip()[:8].lower() == "#+macro:" and (found := _DEFINITION.match(line)):
            texts[found["name"].lower()] = found["text"].strip()
    return Macros(texts)
