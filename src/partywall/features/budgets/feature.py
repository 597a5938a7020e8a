from __future__ import annotations

from typing import Final

from partywall.core.feature import Feature
from partywall.core.lazy import lazy
from partywall.features.budgets.rights import BUDGET_MANAGE

feature: Final = Feature(
    name="budgets",
    routers=(lazy("partywall.features.budgets.router:router"),),
    rights=(BUDGET_MANAGE,),
    models=lazy("partywall.features.budgets.models"),
)
