from __future__ import annotations

from partywall.core.feature import Feature
from partywall.core.jobs.schedules import Schedule
from partywall.features.live.retention import prune_events
from partywall.features.live.router import router, socket_router

feature = Feature(
    name="live",
    routers=(router,),
    socket_routers=(socket_router,),
    schedules=(Schedule("prune_events", "17 * * * *", prune_events),),
)
