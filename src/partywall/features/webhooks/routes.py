from __future__ import annotations

from partywall.core.http.routes import Routes
from partywall.features.webhooks import delivery_router, router

routes = Routes(
    routers=(router.router, delivery_router.router),
)
