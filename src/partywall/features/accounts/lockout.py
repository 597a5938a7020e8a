"""When an address is locked: pure rules over what is counted."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime, timedelta


@dataclass(frozen=True, slots=True)
class LockoutPolicy:
    max_failures: int
    duration: timedelta


@dataclass(frozen=True, slots=True)
class Failures:
    """Failures in a row, as last counted."""

    count: int
    failed_at: datetime
    locked_until: datetime | None


def locked_for(failures: Failures | None, now: datetime) -> timedelta | None:
    """How long the address stays locked, or None where it may try."""
    if failures is None or failures.locked_until is None or failures.locked_until <= now:
        return None
    return failures.locked_until - now


def after_failure(failures: Failures | None, policy: LockoutPolicy, now: datetime) -> Failures:
    """The count with one failure more. It starts anew after a lockout, and where the last failure is as long ago."""
    stale = failures is None or failures.locked_until is not None or now - failures.failed_at >= policy.duration
    count = 1 if failures is None or stale else failures.count + 1
    locked_until = now + policy.duration if count >= policy.max_failures else None
    return Failures(count, now, locked_until)
