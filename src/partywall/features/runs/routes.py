from __future__ import annotations

from partywall.core.http.routes import Routes
from partywall.features.runs import router, stream_router

routes = Routes(routers=(router.router, stream_router.router))
