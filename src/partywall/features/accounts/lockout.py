"""How long to wait after failed logins. Pure functions over the counts."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Final

# Per account, for all unknown networks together.
_UNKNOWN_FREE: Final = 4
_UNKNOWN_FIRST: Final = timedelta(seconds=1)
_UNKNOWN_LONGEST: Final = timedelta(minutes=5)


@dataclass(frozen=True, slots=True)
class WaitPolicy:
    """`free` failures cause no wait, the next one `first`, and each further one twice as long, up to `longest`.

    The count restarts after `memory` without a failure.
    """

    free: int
    first: timedelta
    longest: timedelta
    memory: timedelta

    def wait(self, count: int) -> timedelta | None:
        """The wait after `count` failures, or None if the next attempt may follow at once."""
        beyond = count - self.free
        if beyond <= 0:
            return None
        return min(self.first * (1 << min(beyond - 1, 30)), self.longest)


def of_one_network(max_failures: int, lockout: timedelta) -> WaitPolicy:
    """For one account and one network: locked for `lockout` after `max_failures`."""
    return WaitPolicy(max_failures - 1, lockout, lockout, lockout)


def of_unknown_networks(max_failures: int, lockout: timedelta) -> WaitPolicy:
    """For one account and all unknown networks: slowed down, but never locked for long."""
    longest = min(_UNKNOWN_LONGEST, lockout)
    return WaitPolicy(max_failures * _UNKNOWN_FREE, min(_UNKNOWN_FIRST, longest), longest, lockout)


@dataclass(frozen=True, slots=True)
class Failures:
    """Consecutive failures, as last counted."""

    count: int
    failed_at: datetime
    locked_until: datetime | None


def locked_for(failures: Failures | None, now: datetime) -> timedelta | None:
    """How long the next attempt must wait, or None."""
    if failures is None or failures.locked_until is None or failures.locked_until <= now:
        return None
    return failures.locked_until - now


def after_failure(failures: Failures | None, policy: WaitPolicy, now: datetime) -> Failures:
    """The count after one more failure."""
    stale = failures is None or now - failures.failed_at >= policy.memory
    count = 1 if failures is None or stale else failures.count + 1
    wait = policy.wait(count)
    return Failures(count, now, None if wait is None else now + wait)
