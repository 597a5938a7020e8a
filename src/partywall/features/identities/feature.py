from __future__ import annotations

from typing import Final

from partywall.core.feature import Feature
from partywall.core.lazy import lazy

feature: Final = Feature(
    name="identities",
    routers=(
        lazy("partywall.features.identities.login_router:router"),
        lazy("partywall.features.identities.router:router"),
    ),
    public_routes=frozenset(
        {"list_identity_providers", "begin_external_login", "end_external_login", "redeem_login_code"}
    ),
    models=lazy("partywall.features.identities.models"),
)
