"""Settings of a feature, read from the environment."""

from __future__ import annotations

from partywall.settings.base import CommaSeparated, Section, split_lists

__all__ = [
    "CommaSeparated",
    "Section",
    "split_lists",
]
