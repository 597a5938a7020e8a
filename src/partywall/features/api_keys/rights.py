from __future__ import annotations

from typing import Final

from partywall.core.rights import Right
from partywall.core.tenancy import Role

KEY_MANAGE: Final = Right("key.manage", "create, see and revoke API keys", Role.ADMIN, for_people=True)
