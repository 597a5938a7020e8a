from __future__ import annotations

from collections.abc import AsyncIterator
from uuid import uuid4

import pytest

from partywall.core.db.engine import create_engine, server_settings
from partywall.core.db.session import Sessions
from tests.engines import TEMPLATE, Urls, create_database


@pytest.fixture
async def own_sessions(engines: Urls) -> AsyncIterator[Sessions]:
    """The sessions of a database that no other test uses, as the runtime role."""
    name = f"partywall_keys_{uuid4().hex}"
    await create_database(engines, name, TEMPLATE)
    settings = server_settings("tests", 15_000)
    engine = create_engine(engines.database(name).runtime, pool_size=5, overflow=5, settings=settings)
    yield Sessions(engine)
    await engine.dispose()
