from __future__ import annotations

import pytest

from partywall.core.resources import Resources
from tests.features.projects.house import House, build
from tests.features.projects.post import Post
from tests.people import People


@pytest.fixture
async def house(people: People) -> House:
    return await build(people)


@pytest.fixture
def post(resources: Resources) -> Post:
    return Post(resources)
