from __future__ import annotations

from typing import Final

from partywall.core.rights import Right
from partywall.core.tenancy import Role

EVENT_READ: Final = Right("event.read", "follow the project's events", Role.VIEWER)
