from __future__ import annotations

from partywall.core.http.routes import Routes
from partywall.features.documents import file_router, router

routes = Routes(
    routers=(router.router, file_router.router),
)
