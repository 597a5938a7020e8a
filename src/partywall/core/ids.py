from __future__ import annotations

from uuid import UUID

from uuid_utils import compat, uuid7


def new_id() -> UUID:
    """A new UUID version 7: unique, and ordered by the time it was made."""
    return compat.uuid7()


def new_id_text() -> str:
    """A new UUID version 7 as text, for ids that are never compared."""
    return str(uuid7())
