"""How many invitations an address may get."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import timedelta
from typing import Final

from partywall.core.errors import TooManyRequestsError
from partywall.core.security.attempts import AttemptLimiter
from partywall.core.security.secrets import Signer
from partywall.core.tenancy import Principal, ProjectScope

PURPOSE: Final = "invited address"
# Per project and address, so that withdrawing and inviting again cannot fill a mailbox.
MAILS_PER_HOUR: Final = 5
# Per inviter and address over all projects: less than the total, so that one inviter leaves some for the others.
MAILS_PER_HOUR_OF_ONE: Final = 5
# Per address over all projects, so that many projects cannot fill it either. Projects must not learn of this count.
MAILS_PER_HOUR_TO_ONE: Final = 10
# Shortest pause before a withheld mail is tried again.
MIN_PAUSE: Final = timedelta(minutes=5)


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

    async def deliver_after(self, inviter: Principal, email: str) -> timedelta | None:
        """Count a mail to this address, over all projects. Only for the worker.

        Returns None if it may be sent, otherwise a pause, and counts nothing for its inviter if only the total is
        used up.
        """
        total = f"invited/{self._named(email)}"
        wait = await self.attempts.wait(total, per_hour=MAILS_PER_HOUR_TO_ONE)
        if wait is None:
            wait = await self.attempts.admit(f"{total}/{inviter}", per_hour=MAILS_PER_HOUR_OF_ONE)
        if wait is None:
            wait = await self.attempts.admit(total, per_hour=MAILS_PER_HOUR_TO_ONE)
        return None if wait is None else max(MIN_PAUSE, timedelta(seconds=wait))

    def _named(self, email: str) -> str:
        return self.signer.sign(email.encode()).hex()
