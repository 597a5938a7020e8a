from __future__ import annotations

from dataclasses import dataclass
from typing import Final, Self

ONE: Final = r"[a-z][a-z_]*\.(?:\*|[a-z][a-z_]*)"
PATTERN: Final = rf"^{ONE}(?:,{ONE})*$"


@dataclass(frozen=True, slots=True)
class TypeFilter:
    """The event types a caller asked for: by name (`document.created`) and by group (`document.*`)."""

    names: frozenset[str]
    groups: frozenset[str]

    @classmethod
    def parse(cls, text: str) -> Self:
        """From text that matches `PATTERN`."""
        parts = text.split(",")
        groups = frozenset(part.removesuffix(".*") for part in parts if part.endswith(".*"))
        return cls(frozenset(part for part in parts if not part.endswith(".*")), groups)

    def admits(self, type_: str) -> bool:
        return type_ in self.names or type_.partition(".")[0] in self.groups
