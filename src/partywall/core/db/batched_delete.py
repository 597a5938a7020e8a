"""Deletes many rows in short transactions."""

from __future__ import annotations

from collections.abc import Mapping

from sqlalchemy import Executable

from partywall.core.db.session import Sessions


async def prune(sessions: Sessions, statement: Executable, values: Mapping[str, object]) -> int:
    """Repeats a statement that removes a batch of rows and returns their number, until it removes none.

    Each batch is one transaction. Returns the total number of removed rows.
    """
    removed = 0
    while True:
        async with sessions.begin() as session:
            some: int = await session.scalar(statement, dict(values)) or 0
        if not some:
            return removed
        removed += some
