from __future__ import annotations

from typing import Final

from partywall.core.feature import Feature, Tag
from partywall.core.lazy import lazy

feature: Final = Feature(
    name="quotas",
    tags=(Tag("quotas", "Limits and current usage of projects and accounts."),),
    routers=(lazy("partywall.features.quotas.router:router"),),
    models=lazy("partywall.features.quotas.models"),
)
