from __future__ import annotations

from typing import ClassVar, Final

from partywall.core.security.opaque_tokens import MailedTokens

PURPOSE: Final = "address verification"


class VerificationTokens(MailedTokens):
    """Tokens of registrations, derived from their ids."""

    __slots__ = ()
    prefix: ClassVar[str] = "pwv_"
