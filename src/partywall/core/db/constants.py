"""Sizes that are needed without the database's library."""

from __future__ import annotations

from typing import Final

# Long reads at once in one process; one account may use half.
LONG_READS: Final = 4
