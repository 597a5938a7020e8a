from __future__ import annotations

from partywall.core.http.routes import Routes
from partywall.features.documents import fast_router, file_router, router

routes = Routes(
    routers=(fast_router.router, file_router.router, router.router),
)
