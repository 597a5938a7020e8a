"""How many projects of which size are built."""

from __future__ import annotations

from typing import Final

FULL: Final = {200_000: 2, 50_000: 6, 10_000: 20, 1_000: 92, 100: 80}
"""1,000,000 passages in 200 projects."""

SMALL: Final = {12_000: 1, 1_000: 7, 100: 10}
"""20,000 passages, to try the benchmark itself."""
