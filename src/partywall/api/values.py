"""Sources of values that tests replace."""

from __future__ import annotations

from partywall.core.clock import unix_time, utc_now
from partywall.core.ids import new_id

__all__ = [
    "new_id",
    "unix_time",
    "utc_now",
]
