from __future__ import annotations

import pytest

from partywall.core.resources import Resources
from partywall.testing.users import Users
from tests.features.projects.invitation_mails import Post
from tests.features.projects.team import Team, build


@pytest.fixture
async def team(users: Users) -> Team:
    return await build(users)


@pytest.fixture
def post(resources: Resources) -> Post:
    return Post(resources)
