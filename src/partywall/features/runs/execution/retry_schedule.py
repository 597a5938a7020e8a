"""When a run that waits for an unavailable service is retried; pure functions."""

from __future__ import annotations

from datetime import timedelta
from typing import Final

from partywall.core.backoff import jittered
from partywall.core.jobs import dead_letter

LONGEST_PAUSE: Final = timedelta(minutes=1)
# After the first answer that broke off in the middle, and after every later one: three attempts take over a minute.
PAUSES_AFTER_CUT: Final = (timedelta(seconds=5), LONGEST_PAUSE)


def next_attempt(failing: timedelta, lasting: timedelta, asked: timedelta | None) -> timedelta | None:
    """The pause before the next attempt after failing for `failing`; None if there is no further attempt.

    Pauses double, with jitter; the last attempt is at the end of `lasting`. The server `asked` for a minimum pause: if
    that ends later than `lasting`, there is no further attempt.
    """
    left = lasting - failing
    if left <= timedelta() or (asked is not None and asked > left):
        return None
    pause = jittered(max(dead_letter.FIRST_DELAY, min(failing, LONGEST_PAUSE)))
    return max(min(pause, left), asked or timedelta())


def next_paid_attempt(
    failing: timedelta, lasting: timedelta, asked: timedelta | None, attempts: int
) -> timedelta | None:
    """Like `next_attempt` after paid output was lost: there are few such `attempts`, so they are further apart."""
    pause = next_attempt(failing, lasting, asked)
    if pause is None:
        return None
    least = jittered(PAUSES_AFTER_CUT[min(max(attempts, 1), len(PAUSES_AFTER_CUT)) - 1], 1.0, 1.25)
    return max(pause, min(least, lasting - failing))


def after_turned_away(failing: timedelta, lasting: timedelta, after: timedelta) -> timedelta | None:
    """Like `next_attempt` when an open circuit rejected the call for `after`: the pause does not double."""
    left = lasting - failing
    return min(after + jittered(dead_letter.FIRST_DELAY), left) if left > timedelta() else None
