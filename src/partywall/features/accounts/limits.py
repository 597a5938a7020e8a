"""How often a client or a credential may try."""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum
from typing import Final

from partywall.core.security.attempts import AttemptLimiter
from partywall.features.accounts.constants import MAILS_PER_HOUR
from partywall.features.accounts.exceptions import TooManyAttemptsError, TooManyMailsError

# Factor by which an index look-up may come more often than a password hash.
_CHEAP: Final = 10


class Kind(StrEnum):
    """Each kind has its own counter, so that one exhausted limit leaves the others."""

    LOGIN = "login"
    REGISTRATION = "registration"
    RESEND = "resend"
    FORGOTTEN = "forgotten"
    RESET = "reset"
    EXTERNAL_LOGIN = "external login"


@dataclass(frozen=True, slots=True)
class ClientLimits:
    """Rate limits per client, and per credential."""

    attempts: AttemptLimiter
    client: str

    async def admit(self, kind: Kind) -> None:
        """Count an attempt that costs a password hash or a mail. Raises TooManyAttemptsError."""
        _refuse(await self.attempts.admit(f"{kind}/{self.client}"))

    async def admit_mail(self, kind: Kind, network: bytes) -> None:
        """Count a requested mail, whether or not it will be sent. Raises TooManyMailsError.

        `network` is the keyed hash of the requesting network and the address.
        """
        wait = await self.attempts.admit(f"{kind} mail/{network.hex()}", per_hour=MAILS_PER_HOUR)
        if wait is not None:
            raise TooManyMailsError(wait)

    async def wait_for_login(self) -> int | None:
        """Count a login. Returns the seconds that a login from an unknown network must wait, or None.

        Raises TooManyAttemptsError if the client has even used up its look-ups of known networks.
        """
        wait = await self.attempts.admit(f"{Kind.LOGIN}/{self.client}")
        if wait is not None:
            _refuse(await self.attempts.admit(f"{Kind.LOGIN} beyond/{self.client}", times=_CHEAP))
        return wait

    async def admit_credential(self, name: str) -> None:
        """Count a use of a credential, which only its holder can exhaust. Raises TooManyAttemptsError."""
        _refuse(await self.attempts.admit(f"credential/{name}"))

    async def require_no_guessing(self) -> None:
        """Check the limit before looking up a token that may be made up. Raises TooManyAttemptsError."""
        _refuse(await self.attempts.wait(f"made up/{self.client}", times=_CHEAP))

    async def count_guess(self) -> None:
        """Count a made-up token. Raises TooManyAttemptsError."""
        _refuse(await self.attempts.admit(f"made up/{self.client}", times=_CHEAP))


def _refuse(wait: int | None) -> None:
    if wait is not None:
        raise TooManyAttemptsError(wait)
