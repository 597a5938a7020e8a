from __future__ import annotations

from datetime import timedelta
from typing import Final

from sqlalchemy import Text, bindparam, func, select
from sqlalchemy.exc import DBAPIError

from partywall.core.db.session import AsyncReadSession

_LIMIT: Final = select(func.set_config("lock_timeout", bindparam("limit", type_=Text), True))
_LOCK_NOT_AVAILABLE: Final = "55P03"


async def limit_lock_wait(session: AsyncReadSession, limit: timedelta) -> None:
    """Sets the lock timeout for the rest of the transaction."""
    await session.execute(_LIMIT, {"limit": f"{int(limit.total_seconds() * 1000)}ms"})


def was_lock_timeout(error: DBAPIError) -> bool:
    return getattr(error.orig, "sqlstate", None) == _LOCK_NOT_AVAILABLE
