"""What follows from an attempt: pure decisions about deliveries and webhooks."""

from __future__ import annotations

import random
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Final

from partywall.features.webhooks.constants import BREAKS_AFTER, GROWTH, LONGEST_PAUSE

GONE: Final = 410


@dataclass(frozen=True, slots=True)
class Outcome:
    """How an attempt went: the status that was answered, or why there is none.

    `asked` is how long the receiver wants to be left alone.
    """

    status_code: int | None
    error: str | None
    asked: timedelta | None = None

    @property
    def succeeded(self) -> bool:
        return self.error is None


@dataclass(frozen=True, slots=True)
class RetryPolicy:
    first_retry: timedelta
    attempts: int
    disable_after: timedelta

    def retry_in(self, attempt: int, asked: timedelta | None = None) -> timedelta | None:
        """How long to wait after this failed attempt, from 1 on, and not less than was asked; None after the last."""
        if attempt >= self.attempts:
            return None
        return max(_about(self.first_retry * GROWTH ** (attempt - 1)), asked or timedelta())

    def pause(self, failures: int, asked: timedelta | None = None) -> timedelta | None:
        """How long the webhook as a whole rests after so many failures in a row: a dead receiver costs little.

        Also, from the first on, as long as the receiver has asked: another event would not be welcome either.
        """
        if failures < BREAKS_AFTER:
            return asked
        steps = min(failures - BREAKS_AFTER, 20)
        return max(_about(min(self.first_retry * 2**steps, LONGEST_PAUSE)), asked or timedelta())

    def disables(self, outcome: Outcome, failing_at: datetime | None, now: datetime) -> str | None:
        """Why the webhook is to be disabled after this failure, if it is."""
        if outcome.status_code == GONE:
            return "gone"
        if failing_at is not None and now - failing_at >= self.disable_after:
            return "failing"
        return None


def _about(time: timedelta) -> timedelta:
    return time * random.uniform(0.8, 1.2)  # noqa: S311 - spreads load, keeps no secret  # nosec B311
