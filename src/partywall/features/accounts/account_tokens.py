"""Tokens that are mailed to the owner of an account, for one purpose each."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import timedelta
from typing import ClassVar, Final

from partywall.core.security.opaque_tokens import MailedTokens
from partywall.features.accounts.constants import MOST_RESETS, MOST_UNLOCKS, RESET_TTL, UNLOCK_TTL


class ResetTokens(MailedTokens):
    __slots__ = ()
    prefix: ClassVar[str] = "pwp_"


class UnlockTokens(MailedTokens):
    __slots__ = ()
    prefix: ClassVar[str] = "pwu_"


@dataclass(frozen=True, slots=True)
class TokenPurpose:
    """`name` also names the key that the tokens are derived with. `most` is how many may wait to be used."""

    name: str
    tokens: type[MailedTokens]
    ttl: timedelta
    most: int


RESET: Final = TokenPurpose("reset_password", ResetTokens, RESET_TTL, MOST_RESETS)
UNLOCK: Final = TokenPurpose("unlock", UnlockTokens, UNLOCK_TTL, MOST_UNLOCKS)
