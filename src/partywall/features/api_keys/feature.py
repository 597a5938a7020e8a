from __future__ import annotations

from typing import Final

from partywall.core.events.types import EventType
from partywall.core.feature import Feature, Tag
from partywall.core.jobs.schedules import Schedule
from partywall.core.lazy import lazy
from partywall.features.api_keys.rights import KEY_MANAGE

feature: Final = Feature(
    name="api_keys",
    tags=(Tag("api keys", "A project's credentials for programs."),),
    routers=(lazy("partywall.features.api_keys.router:router"),),
    rights=(KEY_MANAGE,),
    events=(EventType("project.key_created", "api_key"), EventType("project.key_revoked", "api_key")),
    schedules=(Schedule("prune_api_keys", "43 3 * * *", lazy("partywall.features.api_keys.retention:prune_api_keys")),),
    models=lazy("partywall.features.api_keys.models"),
)
