from __future__ import annotations

from partywall.core.feature import Feature
from partywall.core.jobs.schedules import Schedule
from partywall.features.api_keys.retention import prune_api_keys
from partywall.features.api_keys.router import router

feature = Feature(
    name="api_keys",
    routers=(router,),
    schedules=(Schedule("prune_api_keys", "43 3 * * *", prune_api_keys),),
    events=("project.key_created", "project.key_revoked"),
)
