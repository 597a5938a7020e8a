from __future__ import annotations

import pytest

from tests.features.projects.house import House, build
from tests.people import People


@pytest.fixture
async def house(people: People) -> House:
    return await build(people)
