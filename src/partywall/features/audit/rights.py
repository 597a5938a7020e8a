from __future__ import annotations

from typing import Final

from partywall.core.rights import Right
from partywall.core.tenancy import Role

AUDIT_READ: Final = Right("audit.read", "read and export the audit trail", Role.OWNER, for_people=True)
