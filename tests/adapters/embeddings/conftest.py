from __future__ import annotations

from collections.abc import AsyncIterator

import pytest

from tests.adapters.embeddings.endpoint import Endpoint, serving


@pytest.fixture
async def endpoint() -> AsyncIterator[Endpoint]:
    async with serving(Endpoint()) as running:
        yield running
