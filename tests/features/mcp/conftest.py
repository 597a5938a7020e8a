from __future__ import annotations

from collections.abc import AsyncIterator

import pytest

from partywall.settings import Settings
from tests.features.agents.bureau import Bureau
from tests.features.agents.conftest import app, bureau, model, resources, settings, shared_model
from tests.features.api_keys.conftest import make_key
from tests.features.live.serving import Serving, serve
from tests.features.mcp.desk import Desk

__all__ = ["app", "bureau", "make_key", "model", "resources", "settings", "shared_model"]


@pytest.fixture(scope="session")
async def served(settings: Settings) -> AsyncIterator[Serving]:
    """An API process's application on loopback; the workers of a bureau are elsewhere."""
    async with serve(settings) as serving:
        yield serving


@pytest.fixture
async def desk(bureau: Bureau, served: Serving) -> Desk:
    return Desk(bureau, served, await Desk.key_of(bureau))
