"""What a refresh token that could not be rotated tells."""

from __future__ import annotations

from dataclasses import dataclass
from enum import Enum, auto
from uuid import UUID


class Verdict(Enum):
    REPEAT = auto()
    """The same successor again: its answer was lost, or a request beside this one asked as well."""
    REFUSE = auto()
    """The session has ended; there is nothing left to protect."""
    REVOKE = auto()
    """Its successor was used, so two clients hold tokens of one session: the session ends."""


@dataclass(frozen=True, slots=True)
class PresentedToken:
    """`successor_waits`: the token that it was exchanged for has not been used yet."""

    session_id: UUID
    used: bool
    successor_waits: bool
    session_lives: bool


def classify(token: PresentedToken) -> Verdict:
    if not token.session_lives or not token.used:
        return Verdict.REFUSE
    return Verdict.REPEAT if token.successor_waits else Verdict.REVOKE
