from __future__ import annotations

from collections.abc import Mapping

from sqlalchemy import Executable

from partywall.core.db.session import Sessions


async def prune(sessions: Sessions, statement: Executable, values: Mapping[str, object]) -> int:
    """Runs a statement that removes some rows and answers how many, in a transaction each, until it removes none.

    Answers how many rows were removed in all.
    """
    removed = 0
    while True:
        async with sessions.begin() as session:
            some: int = await session.scalar(statement, dict(values)) or 0
        if not some:
            return removed
        removed += some
