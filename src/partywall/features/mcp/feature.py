from __future__ import annotations

from typing import Final

from partywall.core.feature import Feature, Tag
from partywall.core.lazy import lazy

feature: Final = Feature(
    name="mcp",
    tags=(Tag("mcp", "The project as a Model Context Protocol server."),),
    routers=(lazy("partywall.features.mcp.router:router"),),
)
