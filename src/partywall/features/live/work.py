from __future__ import annotations

from partywall.core.jobs.schedules import Schedule
from partywall.core.jobs.work import Work
from partywall.features.live.retention import prune_events, trim_events

work = Work(
    schedules=(
        Schedule("prune_events", "17 * * * *", prune_events),
        Schedule("trim_events", "* * * * *", trim_events),
    ),
)
