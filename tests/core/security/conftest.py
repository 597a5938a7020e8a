from __future__ import annotations

from collections.abc import AsyncIterator

import pytest

from partywall.core.db.engine import create_engine, server_settings
from partywall.core.db.session import Sessions
from partywall.testing.engines import Urls, new_database


@pytest.fixture
async def own_sessions(engines: Urls) -> AsyncIterator[Sessions]:
    """Sessions of the runtime role on a database that no other test uses."""
    database = await new_database(engines, "keys")
    settings = server_settings("tests", 15_000)
    engine = create_engine(database.runtime, pool_size=5, overflow=5, settings=settings)
    yield Sessions(engine)
    await engine.dispose()
