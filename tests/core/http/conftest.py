from __future__ import annotations

from collections.abc import AsyncIterator
from datetime import timedelta

import pytest

from partywall.core.http import connection_limits
from partywall.settings import Settings
from partywall.testing.conditions import until
from tests.features.live.server import Serving, serve

PER_ADDRESS = 40
UPDATE = {
    "connections": 60,
    "connections_per_address": PER_ADDRESS,
    "unserved_per_address": 10,
    "header_timeout": timedelta(seconds=0.6),
    "body_timeout": timedelta(seconds=0.8),
    "spool_bytes": 48 * 1024 * 1024,
}


@pytest.fixture(scope="session")
async def server(settings: Settings) -> AsyncIterator[Serving]:
    async with serve(settings) as serving:
        yield serving


@pytest.fixture(scope="session")
async def strict_server(settings: Settings) -> AsyncIterator[Serving]:
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(connection_limits, "SWEEP_SECONDS", 0.1)
        patch.setattr(connection_limits, "GRACE_SECONDS", 0.1)
        patch.setattr(connection_limits, "MEASURE_SECONDS", 0.5)
        async with serve(settings.model_copy(update={"http": settings.http.model_copy(update=UPDATE)})) as serving:
            yield serving


@pytest.fixture
async def strict(strict_server: Serving) -> Serving:
    """A process with short timeouts and few slots, all of which are free."""
    await until(lambda: not strict_server.server.server_state.connections)
    return strict_server
