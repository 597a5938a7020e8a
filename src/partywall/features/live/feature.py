from __future__ import annotations

from typing import Final

from partywall.core.feature import Feature, Tag
from partywall.core.jobs.schedules import Schedule
from partywall.core.lazy import lazy
from partywall.features.live.rights import EVENT_READ

feature: Final = Feature(
    name="live",
    tags=(Tag("events", "A live stream of a project's events."),),
    routers=(lazy("partywall.features.live.router:router"),),
    socket_routers=(lazy("partywall.features.live.router:socket_router"),),
    public_routes=frozenset({"stream_events"}),
    rights=(EVENT_READ,),
    schedules=(
        Schedule("prune_events", "17 * * * *", lazy("partywall.features.live.retention:prune_events")),
        Schedule("trim_events", "* * * * * 35", lazy("partywall.features.live.retention:trim_events")),
    ),
)
