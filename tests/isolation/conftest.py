from __future__ import annotations

from collections.abc import AsyncIterator

import pytest
from fastapi import FastAPI

from partywall.settings import Settings
from partywall.testing.engines import DatabaseUrls, Urls, new_database
from partywall.testing.isolation.app import open_app, settings_for_attack
from partywall.testing.isolation.world import World, open_world


@pytest.fixture(scope="package")
async def attacked_database(engines: Urls) -> DatabaseUrls:
    """A separate database: the suite compares and restores rows, so no other test may write to it."""
    return await new_database(engines, "isolation")


@pytest.fixture(scope="package")
def attacked_settings(
    engines: Urls, attacked_database: DatabaseUrls, tmp_path_factory: pytest.TempPathFactory
) -> Settings:
    return settings_for_attack(
        attacked_database, engines.cache, tmp_path_factory.mktemp("isolation"), agents=["tests.features.runs.assistant"]
    )


@pytest.fixture(scope="package")
async def attacked_app(attacked_settings: Settings) -> AsyncIterator[FastAPI]:
    async with open_app(attacked_settings) as app:
        yield app


@pytest.fixture(scope="package")
async def world(attacked_app: FastAPI, attacked_database: DatabaseUrls) -> AsyncIterator[World]:
    async with open_world(attacked_app, attacked_database) as built:
        yield built
