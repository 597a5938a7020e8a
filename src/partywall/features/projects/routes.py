from __future__ import annotations

from partywall.core.http.routes import Routes
from partywall.features.projects import invitation_router, member_router, router

routes = Routes(
    routers=(router.router, member_router.router, invitation_router.router, invitation_router.accepting),
)
