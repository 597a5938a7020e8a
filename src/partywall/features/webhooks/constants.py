from __future__ import annotations

from datetime import timedelta
from typing import Final

MAX_TYPES: Final = 50
# Up to twenty of these come per second: only webhooks that name the type or its group get them.
ON_REQUEST: Final = frozenset({"run.token"})
# The purpose of the key that seals the secrets.
PURPOSE: Final = "webhook secrets"
# How long both secrets sign after a rotation.
OVERLAP: Final = timedelta(hours=24)
# Consecutive failures after which the whole webhook pauses between attempts, and the longest pause.
BREAKS_AFTER: Final = 5
LONGEST_PAUSE: Final = timedelta(minutes=5)
# The longest `Retry-After` that is honoured, and with which statuses.
LONGEST_ASKED: Final = timedelta(days=1)
ASKING: Final = frozenset({429, 503})
# Factor between the waits before consecutive retries.
GROWTH: Final = 3
# Events that one transaction turns into deliveries.
FAN_OUT: Final = 200
# The longest delivery session; then other webhooks have their turn.
SESSION_LENGTH: Final = timedelta(seconds=10)
# The webhooks of one account use at most 1/SHARE of a worker's slots.
SHARE: Final = 3
