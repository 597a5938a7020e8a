from __future__ import annotations

from dataclasses import dataclass
from typing import Final

from partywall.core.errors import TooManyRequestsError
from partywall.core.security.attempts import AttemptLimiter
from partywall.core.security.secrets import Signer
from partywall.core.tenancy import ProjectScope

PURPOSE: Final = "invited address"
# Per project and address, so that withdrawing and inviting again cannot fill a mailbox.
MAILS_PER_HOUR: Final = 5
# Per address over all projects, so that many projects cannot fill it either. Projects must not learn of this count.
MAILS_PER_HOUR_TO_ONE: Final = 10


@dataclass(frozen=True, slots=True)
class InvitationQuota:
    """Limits invitation mails to one address. Only a project's own count causes errors that it can see."""

    attempts: AttemptLimiter
    signer: Signer

    async def admit(self, scope: ProjectScope, email: str) -> None:
        """Count an invitation from this project. Raises TooManyRequestsError."""
        counted = f"invited/{scope.project_id}/{self._named(email)}"
        wait = await self.attempts.admit(counted, per_hour=MAILS_PER_HOUR)
        if wait is not None:
            raise TooManyRequestsError(wait)

    async def may_deliver(self, email: str) -> bool:
        """Whether one more mail may go to this address, counted over all projects. Only for the worker."""
        wait = await self.attempts.admit(f"invited/{self._named(email)}", per_hour=MAILS_PER_HOUR_TO_ONE)
        return wait is None

    def _named(self, email: str) -> str:
        return self.signer.sign(email.encode()).hex()
