from __future__ import annotations

from typing import Final

from partywall.core.rights import Right
from partywall.core.tenancy import Role

RUN_READ: Final = Right("run.read", "see the agents, their runs and the runs' usage", Role.VIEWER)
