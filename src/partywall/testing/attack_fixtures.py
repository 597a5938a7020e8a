"""The attack on the routes of installed features, in a database of its own."""

from __future__ import annotations

from collections.abc import AsyncIterator, Mapping
from contextlib import asynccontextmanager
from dataclasses import dataclass

import pytest
import pytest_asyncio
from pydantic import JsonValue

from partywall.core.db.base import TableKind
from partywall.testing.deployment import with_features
from partywall.testing.engines import Urls, new_database
from partywall.testing.isolation.app import open_app, settings_for_attack
from partywall.testing.isolation.bodies import SampleBodies
from partywall.testing.isolation.feature_rows import FeatureRows, SampleRows
from partywall.testing.isolation.feature_surface import FeatureSurface
from partywall.testing.isolation.suite import Report, attack
from partywall.testing.isolation.table_guards import unguarded
from partywall.testing.isolation.tool_app import ToolApp, with_tools
from partywall.testing.isolation.world import World, open_world


@dataclass(frozen=True, slots=True)
class AttackedDeployment:
    """An application with two full projects, and what the installed features have added to it."""

    app: ToolApp
    world: World
    surface: FeatureSurface
    unguarded: tuple[str, ...]

    async def attack(self) -> Report:
        return await attack(self.app, self.world, only=self.surface.has)

    @asynccontextmanager
    async def without_policies(self) -> AsyncIterator[None]:
        """Meanwhile, the features' tables have no row-level security."""
        tables = [table.name for table in self.surface.tables if table.info.get("kind") is not TableKind.SYSTEM]
        await self._switch(tables, "DISABLE")
        try:
            yield
        finally:
            await self._switch(tables, "ENABLE")

    async def _switch(self, tables: list[str], to: str) -> None:
        for name in tables:
            await self.world.superuser.execute(f'ALTER TABLE IF EXISTS "{name}" {to} ROW LEVEL SECURITY')


@pytest.fixture(scope="session")
def partywall_sample_bodies() -> SampleBodies:
    """Bodies by operation, for those that the schema does not describe well enough. Override it to add some."""
    return {}


@pytest.fixture(scope="session")
def partywall_sample_rows() -> SampleRows | None:
    """A function that inserts rows which no route creates. Override it for tables that only workers fill."""
    return None


@pytest_asyncio.fixture(scope="session", loop_scope="session")
async def attacked_deployment(
    engines: Urls,
    partywall_features: tuple[str, ...],
    partywall_settings: Mapping[str, JsonValue],
    partywall_sample_bodies: SampleBodies,
    partywall_sample_rows: SampleRows | None,
    feature_environment: None,
    tmp_path_factory: pytest.TempPathFactory,
) -> AsyncIterator[AttackedDeployment]:
    """In a database of its own: the attack compares and restores rows, so no other test may write to it."""
    database = await new_database(engines, "attacked")
    more = with_features(partywall_settings, partywall_features)
    settings = settings_for_attack(database, engines.cache, tmp_path_factory.mktemp("attacked"), more=more)
    async with open_app(settings) as app:
        rows = FeatureRows(app, FeatureSurface.read(app, partywall_features), partywall_sample_rows)
        async with open_world(app, database, bodies=partywall_sample_bodies, complete=rows.fill) as world:
            tool_app = await with_tools(app, world)
            surface = FeatureSurface.read(tool_app, partywall_features)
            yield AttackedDeployment(tool_app, world, surface, tuple(await unguarded(world.superuser, surface.tables)))


@pytest_asyncio.fixture(scope="session", loop_scope="session")
async def attack_report(attacked_deployment: AttackedDeployment) -> Report:
    """What the attack found."""
    return await attacked_deployment.attack()


@pytest_asyncio.fixture(scope="session", loop_scope="session")
async def unfiltered_report(attacked_deployment: AttackedDeployment, attack_report: Report) -> Report:
    """What the attack finds while the features' tables have no row-level security: queries without the project."""
    async with attacked_deployment.without_policies():
        return await attacked_deployment.attack()
