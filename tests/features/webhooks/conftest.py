from __future__ import annotations

from collections.abc import AsyncIterator, Awaitable, Callable

import pytest

from partywall.core.resources import Resources
from partywall.testing.users import Users
from tests.features.webhooks.receiver import Receiver, receiving
from tests.features.webhooks.webhook_workspace import WebhookWorkspace

type OpenWorkspace = Callable[[], Awaitable[WebhookWorkspace]]


@pytest.fixture
async def receiver() -> AsyncIterator[Receiver]:
    async with receiving() as found:
        yield found


@pytest.fixture
async def second_receiver() -> AsyncIterator[Receiver]:
    async with receiving() as found:
        yield found


@pytest.fixture
async def open_workspace(users: Users, resources: Resources) -> AsyncIterator[OpenWorkspace]:
    """Creates projects with separate owners; deletes their webhooks at the end, so that no other test serves them."""
    opened: list[WebhookWorkspace] = []

    async def open_one() -> WebhookWorkspace:
        owner = await users.person()
        opened.append(WebhookWorkspace(users, resources, owner, await owner.project()))
        return opened[-1]

    yield open_one
    await users.execute("DELETE FROM webhook WHERE project_id = ANY ($1)", [each.project for each in opened])


@pytest.fixture
async def workspace(open_workspace: OpenWorkspace) -> WebhookWorkspace:
    return await open_workspace()
