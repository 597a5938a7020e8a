"""What a refresh token that could not be rotated tells."""

from __future__ import annotations

from dataclasses import dataclass
from enum import Enum, auto
from uuid import UUID


class Verdict(Enum):
    REPEAT = auto()
    """The same successor again: the client, or a request beside this one, asked twice."""
    REFUSE = auto()
    """The session has ended; there is nothing left to protect."""
    REVOKE = auto()
    """Someone else has used the token: the family ends."""


@dataclass(frozen=True, slots=True)
class PresentedToken:
    """`fresh`: it was used within the grace. `successor_waits`: the token that followed it has not been used yet."""

    session_id: UUID
    used: bool
    fresh: bool
    successor_waits: bool
    session_lives: bool


def judge(token: PresentedToken) -> Verdict:
    if not token.session_lives or not token.used:
        return Verdict.REFUSE
    return Verdict.REPEAT if token.fresh and token.successor_waits else Verdict.REVOKE
