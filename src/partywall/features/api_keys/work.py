from __future__ import annotations

from partywall.core.jobs.schedules import Schedule
from partywall.core.jobs.work import Work
from partywall.features.api_keys.retention import prune_api_keys

work = Work(
    schedules=(Schedule("prune_api_keys", "43 3 * * *", prune_api_keys),),
)
