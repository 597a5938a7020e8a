from __future__ import annotations

from partywall.core.http.routes import Routes
from partywall.features.agents import budget_router, router, stream_router

routes = Routes(
    routers=(router.router, budget_router.router, stream_router.router),
)
