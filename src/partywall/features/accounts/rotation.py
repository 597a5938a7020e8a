"""What to do with a refresh token that could not be rotated."""

from __future__ import annotations

from dataclasses import dataclass
from enum import Enum, auto
from uuid import UUID


class Verdict(Enum):
    REPEAT = auto()
    """Return the same successor: the answer was lost, or a concurrent request sent the same token."""
    REFUSE = auto()
    """The session has ended."""
    REVOKE = auto()
    """The successor was used, so two clients hold tokens of the session. End it."""


@dataclass(frozen=True, slots=True)
class PresentedToken:
    """`successor_waits`: its successor has not been used yet."""

    session_id: UUID
    used: bool
    successor_waits: bool
    session_lives: bool


def classify(token: PresentedToken) -> Verdict:
    if not token.session_lives or not token.used:
        return Verdict.REFUSE
    return Verdict.REPEAT if token.successor_waits else Verdict.REVOKE
