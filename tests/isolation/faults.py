"""Planted faults: each is put into a copy of the application and removed again.

A fault is an asynchronous context manager over the attacked copy; it yields the application to attack.
"""

from __future__ import annotations

from collections.abc import AsyncIterator, Callable, Iterator
from contextlib import AbstractAsyncContextManager, asynccontextmanager, contextmanager
from dataclasses import dataclass, replace
from uuid import UUID

import pytest
from fastapi import FastAPI

from partywall.core.db.scoped_query import ScopedQuery
from partywall.core.db.scopes import open_scope
from partywall.core.db.session import AsyncReadSession
from partywall.core.resources import Resources
from partywall.core.tenancy import Principal, ProjectScope
from partywall.testing.isolation.world import World
from tests.isolation.unfiltered import unfiltered


@dataclass(frozen=True, slots=True)
class AttackedApp:
    """The copy: its application, its resources and the two projects in it."""

    app: FastAPI
    resources: Resources
    world: World

    @asynccontextmanager
    async def altered(self, *statements: str, undo: tuple[str, ...]) -> AsyncIterator[None]:
        """Runs statements as the superuser."""
        for statement in statements:
            await self.world.superuser.execute(statement)
        try:
            yield
        finally:
            for statement in undo:
                await self.world.superuser.execute(statement)

    def without_policies(self, table: str) -> AbstractAsyncContextManager[None]:
        switch = f"ALTER TABLE {table} {{}} ROW LEVEL SECURITY"
        return self.altered(switch.format("DISABLE"), undo=(switch.format("ENABLE"),))

    async def as_worker(self, session: AsyncReadSession, project_id: UUID) -> ProjectScope:
        """Opens the scope of the project's own worker, which nothing refuses."""
        return await open_scope(session, Principal.service(project_id), project_id)


type Fault = Callable[[AttackedApp], AbstractAsyncContextManager[FastAPI]]


@contextmanager
def patched(*places: tuple[object, str, object]) -> Iterator[None]:
    with pytest.MonkeyPatch.context() as patch:
        for owner, name, value in places:
            patch.setattr(owner, name, value)
        yield


def without_filter(read: ScopedQuery) -> ScopedQuery:
    """The same statement for all projects."""
    broken = replace(read, sql=unfiltered(read.sql))
    assert broken.sql != read.sql
    return broken
