from __future__ import annotations

from typing import Final

from partywall.core.http.routes import Routes
from partywall.features.quotas.router import router

routes: Final = Routes(routers=(router,))
