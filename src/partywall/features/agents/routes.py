from __future__ import annotations

from partywall.core.http.routes import Routes
from partywall.features.agents.router import router

routes = Routes(routers=(router,))
