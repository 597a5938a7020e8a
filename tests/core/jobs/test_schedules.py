from __future__ import annotations

from collections import Counter
from datetime import UTC, datetime, timedelta

from croniter import croniter

from partywall.extensions.enabled import enabled_features

BEGIN, END = datetime(2026, 1, 1, 2, tzinfo=UTC), datetime(2026, 1, 1, 4, tzinfo=UTC)


def ticks(cron: str) -> list[datetime]:
    """From 2 to 4 in the night, when most schedules run."""
    each = croniter(cron, BEGIN - timedelta(seconds=1))
    found: list[datetime] = []
    while (tick := each.get_next(datetime)) < END:
        found.append(tick)
    return found


def test_schedules_begin_at_different_seconds() -> None:
    """Those that begin together each open a connection, which then stays for a while."""
    schedules = [schedule for feature in enabled_features() for schedule in feature.schedules]
    assert len(schedules) > 10
    begins = Counter(tick for schedule in schedules for tick in ticks(schedule.cron))
    assert begins.most_common(1)[0][1] == 1
