from __future__ import annotations

from typing import Final

from partywall.core.rights import Right
from partywall.core.tenancy import Role

WEBHOOK_MANAGE: Final = Right(
    "webhook.manage", "create, change and delete webhooks, see and repeat their deliveries", Role.ADMIN, for_people=True
)
