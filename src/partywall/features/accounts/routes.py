from __future__ import annotations

from partywall.core.http.routes import Routes
from partywall.features.accounts import auth_router, router, verification_router

routes = Routes(
    routers=(auth_router.router, auth_router.forms, verification_router.router, router.router),
    root_routers=(router.well_known,),
)
