"""Accounts take turns: after some work for one, its waiting jobs go behind those of others."""

from __future__ import annotations

import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from typing import Final
from uuid import UUID

from sqlalchemy import Text, Uuid, bindparam, func, select

from partywall.core.db.session import Sessions

# How long a worker works for one project before it looks whether others wait.
TURN_SECONDS: Final = 1.0
_REMEMBERED: Final = 1_000
_YIELD: Final = select(func.wall.yield_turn(bindparam("kind", type_=Text), bindparam("project", type_=Uuid)))

type Turn = tuple[str, UUID]


@dataclass(slots=True)
class Turns:
    """How long this worker has worked on which kind of job for which project since it last gave way."""

    sessions: Sessions
    _worked: dict[Turn, float] = field(default_factory=dict)

    @contextmanager
    def measured(self, kind: str, project_id: UUID) -> Iterator[None]:
        began = time.monotonic()
        try:
            yield
        finally:
            if len(self._worked) >= _REMEMBERED:
                self._worked.clear()
            turn = (kind, project_id)
            self._worked[turn] = self._worked.get(turn, 0.0) + time.monotonic() - began

    async def give_way(self, kind: str, project_id: UUID) -> None:
        """Puts the account's waiting jobs of the kind behind those of others, once its turn is over."""
        if self._worked.get((kind, project_id), 0.0) < TURN_SECONDS:
            return
        del self._worked[kind, project_id]
        async with self.sessions.begin() as session:
            await session.execute(_YIELD, {"kind": kind, "project": project_id})
