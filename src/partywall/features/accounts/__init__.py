from __future__ import annotations

from partywall.core.feature import Feature
from partywall.features.accounts import auth_router, router

feature = Feature(
    name="accounts",
    routers=(auth_router.router, auth_router.forms, router.router),
    root_routers=(router.well_known,),
)

__all__ = ["feature"]
