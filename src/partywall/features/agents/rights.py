from __future__ import annotations

from typing import Final

from partywall.core.rights import Right
from partywall.core.tenancy import Role

RUN_READ: Final = Right("run.read", "see the agents, their runs and the runs' usage", Role.VIEWER)
RUN_START: Final = Right("run.start", "start and cancel runs of agents", Role.EDITOR)
RUN_DECIDE: Final = Right("run.decide", "approve or refuse what a run asks for", Role.EDITOR, for_people=True)
BUDGET_MANAGE: Final = Right(
    "budget.manage", "set the monthly budget of the project's runs", Role.ADMIN, for_people=True
)
