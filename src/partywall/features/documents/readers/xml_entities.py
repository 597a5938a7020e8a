"""The entities of an XML file: short texts that it declares itself, and the names of HTML. No file is opened."""

from __future__ import annotations

from dataclasses import dataclass, field
from html.entities import html5
from typing import Final

_LONGEST: Final = 500
_MOST: Final = 1_000
_MOST_CHARACTERS: Final = 1_000_000
_OF_XML: Final = frozenset({"amp", "lt", "gt", "quot", "apos"})


class EntityError(Exception):
    """An entity is long or has other entities in it, or they are too many."""


@dataclass(slots=True)
class Entities:
    """`left` is how many characters may still come from entities."""

    texts: dict[str, str] = field(default_factory=dict)
    left: int = _MOST_CHARACTERS

    def declare(self, name: str, text: str | None, *, is_parameter: bool) -> None:
        """`text` is None for what another file holds."""
        if name in _OF_XML or text is None:
            return
        if is_parameter or "&" in text or len(text) > _LONGEST or len(self.texts) >= _MOST:
            raise EntityError
        self.texts.setdefault(name, text)

    def text_of(self, name: str) -> str:
        text = self.texts.get(name)
        if text is None:
            return html5.get(f"{name};", "")
        self.left -= len(text)
        if self.left < 0:
            raise EntityError
        return text
