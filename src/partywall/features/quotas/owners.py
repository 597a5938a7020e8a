from __future__ import annotations

from dataclasses import dataclass
from uuid import UUID


@dataclass(frozen=True, slots=True)
class Owner:
    """The project or account that an operator sets a quota for."""

    id: UUID
    is_account: bool = False
