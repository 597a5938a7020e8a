from __future__ import annotations

from collections.abc import AsyncIterator
from datetime import timedelta

import pytest

from partywall.settings import EventSettings, Settings
from tests.features.live.server import Serving, serve


@pytest.fixture(scope="session")
def live_settings(settings: Settings) -> Settings:
    """Polls so rarely that events arrive only by notification."""
    # A shorter heartbeat than the settings permit, to keep tests fast.
    quick = {"poll_interval": timedelta(hours=1), "heartbeat": timedelta(milliseconds=200)}
    events = EventSettings().model_copy(update=quick)
    return settings.model_copy(update={"events": events})


@pytest.fixture(scope="session")
async def server(live_settings: Settings) -> AsyncIterator[Serving]:
    async with serve(live_settings) as serving:
        yield serving


@pytest.fixture(scope="session")
async def polling(live_settings: Settings) -> AsyncIterator[Serving]:
    """Another server on the same database, which polls every quarter of a second."""
    events = live_settings.events.model_copy(update={"poll_interval": timedelta(milliseconds=250)})
    async with serve(live_settings.model_copy(update={"events": events})) as serving:
        yield serving
