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
# And so would a project for each mail. Of all projects together, of which none may learn.
MAILS_PER_HOUR_TO_ONE: Final = 10


@dataclass(frozen=True, slots=True)
class InvitationQuota:
    """How often anybody writes to one address. What is refused is counted for each project: no other learns of it."""

    attempts: AttemptLimiter
    signer: Signer

    async def admit(self, scope: ProjectScope, email: str) -> None:
        """Raises TooManyRequestsError."""
        counted = f"invited/{scope.project_id}/{self._named(email)}"
        wait = await self.attempts.admit(counted, per_hour=MAILS_PER_HOUR)
        if wait is not None:
            raise TooManyRequestsError(wait)

    async def may_deliver(self, email: str) -> bool:
        """Whether one more mail may go to this address, whichever project it is for; only the worker learns of it."""
        wait = await self.attempts.admit(f"invited/{self._named(email)}", per_hour=MAILS_PER_HOUR_TO_ONE)
        return wait is None

    def _named(self, email: str) -> str:
        return self.signer.sign(email.encode()).hex()
