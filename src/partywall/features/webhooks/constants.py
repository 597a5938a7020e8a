from __future__ import annotations

from datetime import timedelta
from typing import Final

MAX_TYPES: Final = 50
# What comes up to twenty times a second goes to those alone that name it, or all of its group.
ON_REQUEST: Final = frozenset({"run.token"})
# What the secrets are sealed for.
PURPOSE: Final = "webhook secrets"
# How long both secrets sign after a rotation.
OVERLAP: Final = timedelta(hours=24)
# Failures in a row from which on the webhook as a whole is tried at times only, and the longest of these times.
BREAKS_AFTER: Final = 5
LONGEST_PAUSE: Final = timedelta(minutes=5)
# How long a receiver may ask to be left alone, and with which answers.
LONGEST_ASKED: Final = timedelta(days=1)
ASKING: Final = frozenset({429, 503})
# Each retry waits for so many times as long as the one before it.
GROWTH: Final = 3
# Events that are made deliveries in one transaction.
FAN_OUT: Final = 200
# How long one webhook is served before the next has its turn.
TURN: Final = timedelta(seconds=10)
# All webhooks of an account have at most this part of a worker's places, a third.
SHARE: Final = 3
