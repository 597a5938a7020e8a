"""The kinds of callers in the attack."""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum
from uuid import UUID


class Standing(StrEnum):
    NOBODY = "no valid credential"
    OUTSIDER = "an account outside both projects"
    MEMBER = "belongs to HOME"
    READER = "belongs to FOREIGN, and may only read there"


@dataclass(frozen=True, slots=True)
class Caller:
    """`token` is sent in the Authorization header; `account` is the user's account, None for other callers."""

    name: str
    standing: Standing
    token: str | None
    account: UUID | None = None

    def __str__(self) -> str:
        return self.name


@dataclass(frozen=True, slots=True)
class Account:
    """A user. `password` and `refresh_token` are set if the user has logged in through the API."""

    id: UUID
    email: str
    token: str
    session: UUID
    password: str = ""
    refresh_token: str = ""
