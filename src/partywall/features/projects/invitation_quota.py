from __future__ import annotations

from dataclasses import dataclass
from typing import Final

from partywall.core.errors import TooManyRequestsError
from partywall.core.security.attempts import AttemptLimiter
from partywall.core.security.secrets import Signer
from partywall.core.tenancy import ProjectScope

PURPOSE: Final = "invited address"
# Withdrawing and inviting again would otherwise fill a stranger's mailbox.
MAILS_PER_HOUR: Final = 5


@dataclass(frozen=True, slots=True)
class InvitationQuota:
    """How often one project may write to one address. Counted for each project: no other learns of it."""

    attempts: AttemptLimiter
    signer: Signer

    async def admit(self, scope: ProjectScope, email: str) -> None:
        """Raises TooManyRequestsError."""
        address = self.signer.sign(email.encode()).hex()
        wait = await self.attempts.admit(f"invited/{scope.project_id}/{address}", per_hour=MAILS_PER_HOUR)
        if wait is not None:
            raise TooManyRequestsError(wait)
