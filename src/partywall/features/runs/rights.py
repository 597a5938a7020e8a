from __future__ import annotations

from typing import Final

from partywall.core.rights import Right
from partywall.core.tenancy import Role

RUN_START: Final = Right("run.start", "start and cancel runs of agents", Role.EDITOR)
RUN_DECIDE: Final = Right("run.decide", "approve or refuse what a run asks for", Role.EDITOR, for_people=True)
