from __future__ import annotations

from uuid import UUID

from uuid_utils import compat


def new_id() -> UUID:
    """A new UUID version 7: unique, and ordered by the time it was made."""
    return compat.uuid7()
