from __future__ import annotations

from partywall.core.feature import Feature
from partywall.features.mcp.router import router

feature = Feature(name="mcp", routers=(router,))
