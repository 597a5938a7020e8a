"""When a run that waits for what is away is tried again: a pure decision."""

from __future__ import annotations

import random
from datetime import timedelta
from typing import Final

from partywall.core.jobs import attempts

LONGEST_PAUSE: Final = timedelta(minutes=1)


def next_attempt(failing: timedelta, lasting: timedelta, asked: timedelta | None) -> timedelta | None:
    """How long until the next attempt, where it has been failing for so long; None where it has failed long enough.

    The pauses double, and vary. It is not before what was `asked` for, except that the last attempt is made when
    `lasting` is over.
    """
    if failing >= lasting:
        return None
    spread = random.uniform(0.5, 1.0)  # noqa: S311 - spreads load, keeps no secret  # nosec B311
    pause = max(attempts.FIRST_DELAY, min(failing, LONGEST_PAUSE)) * spread
    return min(max(pause, asked or timedelta()), lasting - failing)
