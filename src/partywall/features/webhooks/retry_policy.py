"""Pure decisions after an attempt: retries, pauses and disabling."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Final

from partywall.core.backoff import grown, jittered
from partywall.features.webhooks.constants import BREAKS_AFTER, GROWTH, LONGEST_PAUSE

GONE: Final = 410
# A wait is shortened or lengthened by up to a fifth.
SPREAD: Final = (0.8, 1.2)


@dataclass(frozen=True, slots=True)
class Outcome:
    """The result of an attempt: the receiver's status, or the reason why there is none.

    `asked` is the receiver's `Retry-After`.
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
        """The wait after failed attempt number `attempt` (from 1), at least `asked`; None after the last one."""
        if attempt >= self.attempts:
            return None
        return max(jittered(grown(self.first_retry, attempt, factor=GROWTH), *SPREAD), asked or timedelta())

    def pause(self, failures: int, asked: timedelta | None = None) -> timedelta | None:
        """How long the whole webhook pauses after this many failures in a row, so that a dead receiver costs little.

        Never less than `asked`, which also applies to other events, from the first failure on.
        """
        if failures < BREAKS_AFTER:
            return asked
        return max(
            jittered(grown(self.first_retry, failures - BREAKS_AFTER + 1, LONGEST_PAUSE), *SPREAD), asked or timedelta()
        )

    def disables(self, outcome: Outcome, failing_at: datetime | None, now: datetime) -> str | None:
        """The reason to disable the webhook after this failure, if any."""
        if outcome.status_code == GONE:
            return "gone"
        if failing_at is not None and now - failing_at >= self.disable_after:
            return "failing"
        return None
