from __future__ import annotations

from typing import ClassVar, Final

from partywall.core.security.opaque_tokens import MailedTokens

PURPOSE: Final = "invitation"


class InvitationTokens(MailedTokens):
    """Tokens of invitations, derived from their ids."""

    __slots__ = ()
    prefix: ClassVar[str] = "pwi_"
