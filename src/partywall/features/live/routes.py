from __future__ import annotations

from partywall.core.http.routes import Routes
from partywall.features.live.router import router, socket_router

routes = Routes(
    routers=(router,),
    socket_routers=(socket_router,),
)
