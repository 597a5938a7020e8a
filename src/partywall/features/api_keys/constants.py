from __future__ import annotations

from typing import Final

# Keys in force; whoever needs more wants one key for each customer, and should make projects.
MAX_KEYS: Final = 100
