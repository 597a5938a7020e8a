"""Gives both projects rows in the tables of installed features: through their routes, and directly for the rest."""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from contextlib import suppress
from dataclasses import dataclass
from typing import Final
from uuid import UUID

import asyncpg
from fastapi import FastAPI
from sqlalchemy import Integer, Table

from partywall.testing.isolation import rows
from partywall.testing.isolation.client import Client
from partywall.testing.isolation.creation import create, creates
from partywall.testing.isolation.database import Superuser
from partywall.testing.isolation.discovery import CannotExerciseError, Learner
from partywall.testing.isolation.feature_surface import FeatureSurface
from partywall.testing.isolation.surface import read_surface
from partywall.testing.isolation.values import FAR
from partywall.testing.isolation.world import IncompleteWorldError, Realm, World

# Numbers that entity tags are made of.
_COUNTED: Final = frozenset({"revision", "state", "version"})

type SampleRows = Callable[[Superuser, UUID], Awaitable[None]]


@dataclass(frozen=True, slots=True)
class FeatureRows:
    """`sample` creates what no route creates, for one project."""

    app: FastAPI
    surface: FeatureSurface
    sample: SampleRows | None = None

    async def fill(self, world: World) -> None:
        learner = Learner(Client(self.app), world, read_surface(self.surface.document))
        for realm in (world.home, world.foreign):
            await self._create(learner, realm)
            if self.sample is not None:
                await self.sample(world.superuser, realm.project)
            await self._insert(world, realm)
        for table in self.surface.tables:
            await self._move_numbers(world, table)

    async def _create(self, learner: Learner, realm: Realm) -> None:
        for operation in filter(lambda each: each.in_project, self.surface.operations):
            try:
                await learner.ids(operation, realm)
                if creates(self.surface.document, operation):
                    await create(Client(self.app), learner, operation, realm)
            except CannotExerciseError:
                continue  # the report of the attack names it

    async def _insert(self, world: World, realm: Realm) -> None:
        names = [table.name for table in self.surface.tables]
        async with world.superuser.pool.acquire() as connection:
            try:
                await rows.fill(connection, realm.project, names)
            except (asyncpg.PostgresError, KeyError) as error:
                raise IncompleteWorldError(
                    f"a table of {', '.join(names)} has no row, and none could be made up ({error}):"
                    " insert one in the fixture partywall_sample_rows"
                ) from error

    async def _move_numbers(self, world: World, table: Table) -> None:
        """Moves FOREIGN's revisions into a range of their own, so that entity tags reveal their origin."""
        for column in table.columns:
            if column.name in _COUNTED and isinstance(column.type, Integer) and "project_id" in table.columns:
                moved = f'UPDATE "{table.name}" SET "{column.name}" = "{column.name}" + $2 WHERE project_id = $1'  # noqa: S608 - names of a table
                with suppress(asyncpg.IntegrityConstraintViolationError, asyncpg.DataError):
                    await world.superuser.execute(moved, world.foreign.project, FAR)
