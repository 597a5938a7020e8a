from __future__ import annotations

from typing import Final

from partywall.core.rights import Right
from partywall.core.tenancy import Role

BUDGET_MANAGE: Final = Right(
    "budget.manage", "set the monthly budget of the project's runs", Role.ADMIN, for_people=True
)
