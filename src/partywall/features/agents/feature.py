from __future__ import annotations

from typing import Final

from partywall.core.feature import Feature, Tag
from partywall.core.lazy import lazy
from partywall.features.agents.rights import RUN_READ

feature: Final = Feature(
    name="agents",
    tags=(Tag("agents", "Agents, their runs and the project's budget."),),
    routers=(lazy("partywall.features.agents.router:router"),),
    rights=(RUN_READ,),
    agents=lazy("partywall.features.agents.builtin:AGENTS"),
)
