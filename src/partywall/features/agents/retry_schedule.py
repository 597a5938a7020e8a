"""When a run that waits for what is away is tried again: a pure decision."""

from __future__ import annotations

import random
from datetime import timedelta
from typing import Final

from partywall.core.jobs import dead_letter

LONGEST_PAUSE: Final = timedelta(minutes=1)


def next_attempt(failing: timedelta, lasting: timedelta, asked: timedelta | None) -> timedelta | None:
    """How long until the next attempt, where it has been failing for so long; None where there is none.

    The pauses double, and vary; the last attempt is made when `lasting` is over. None is made before what was `asked`
    for: where that is later, there is no other attempt.
    """
    left = lasting - failing
    if left <= timedelta() or (asked is not None and asked > left):
        return None
    pause = max(dead_letter.FIRST_DELAY, min(failing, LONGEST_PAUSE)) * _spread()
    return max(min(pause, left), asked or timedelta())


def after_turned_away(failing: timedelta, lasting: timedelta, after: timedelta) -> timedelta | None:
    """The same where the server was not asked, and may be `after` a time: the pause does not double."""
    left = lasting - failing
    return min(after + dead_letter.FIRST_DELAY * _spread(), left) if left > timedelta() else None


def _spread() -> float:
    return random.uniform(0.5, 1.0)  # noqa: S311 - spreads load, keeps no secret  # nosec B311
