from __future__ import annotations

from partywall.core.feature import Feature
from partywall.features.api_keys.router import router

feature = Feature(name="api_keys", routers=(router,), events=("project.key_created", "project.key_revoked"))
