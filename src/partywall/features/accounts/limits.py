from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum
from typing import Final

from partywall.core.security.attempts import AttemptLimiter
from partywall.features.accounts.constants import MAILS_PER_HOUR
from partywall.features.accounts.exceptions import TooManyAttemptsError, TooManyMailsError

# What costs us an index look-up may come so much more often than what costs a password's hash.
_CHEAP: Final = 10


class Kind(StrEnum):
    """Each has a count of its own, so that a neighbour who uses one up leaves the others."""

    LOGIN = "login"
    REGISTRATION = "registration"
    RESEND = "resend"


@dataclass(frozen=True, slots=True)
class ClientLimits:
    """How often one client may try, and one credential be used."""

    attempts: AttemptLimiter
    client: str

    async def admit(self, kind: Kind) -> None:
        """Counts an attempt that costs a password's hash or a mail; raises TooManyAttemptsError."""
        _refuse(await self.attempts.admit(f"{kind}/{self.client}"))

    async def admit_mail(self, network: bytes) -> None:
        """Counts a mail that is asked for from a network for an address, whether or not it will be sent.

        `network` is the keyed hash of both; raises TooManyMailsError.
        """
        wait = await self.attempts.admit(f"mail/{network.hex()}", per_hour=MAILS_PER_HOUR)
        if wait is not None:
            raise TooManyMailsError(wait)

    async def wait_for_login(self) -> int | None:
        """Counts a login: None, or the seconds that whoever is not known here has to wait.

        Raises TooManyAttemptsError where even asking who is known has been done too often.
        """
        wait = await self.attempts.admit(f"{Kind.LOGIN}/{self.client}")
        if wait is not None:
            _refuse(await self.attempts.admit(f"{Kind.LOGIN} beyond/{self.client}", times=_CHEAP))
        return wait

    async def admit_credential(self, name: str) -> None:
        """Counts the use of something that only its holder can use up; raises TooManyAttemptsError."""
        _refuse(await self.attempts.admit(f"credential/{name}"))

    async def require_no_guessing(self) -> None:
        """Before a token is looked up that may be made up; raises TooManyAttemptsError."""
        _refuse(await self.attempts.wait(f"made up/{self.client}", times=_CHEAP))

    async def count_guess(self) -> None:
        """A token was made up; raises TooManyAttemptsError."""
        _refuse(await self.attempts.admit(f"made up/{self.client}", times=_CHEAP))


def _refuse(wait: int | None) -> None:
    if wait is not None:
        raise TooManyAttemptsError(wait)
