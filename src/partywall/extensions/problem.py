from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Problem:
    """A rule that a feature breaks, in one line that says what to do."""

    feature: str
    text: str

    def __str__(self) -> str:
        return f"the feature {self.feature} {self.text}"
