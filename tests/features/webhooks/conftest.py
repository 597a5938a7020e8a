from __future__ import annotations

from collections.abc import AsyncIterator, Awaitable, Callable

import pytest

from partywall.core.resources import Resources
from tests.features.webhooks.post import Office
from tests.features.webhooks.receiver import Receiver, receiving
from tests.people import People

type OpenOffice = Callable[[], Awaitable[Office]]


@pytest.fixture
async def receiver() -> AsyncIterator[Receiver]:
    async with receiving() as found:
        yield found


@pytest.fixture
async def second_receiver() -> AsyncIterator[Receiver]:
    async with receiving() as found:
        yield found


@pytest.fixture
async def open_office(people: People, resources: Resources) -> AsyncIterator[OpenOffice]:
    """Another project with an owner of its own; its webhooks end with the test, so that no other serves them."""
    opened: list[Office] = []

    async def open_one() -> Office:
        owner = await people.person()
        opened.append(Office(people, resources, owner, await owner.project()))
        return opened[-1]

    yield open_one
    await people.execute("DELETE FROM webhook WHERE project_id = ANY ($1)", [each.project for each in opened])


@pytest.fixture
async def office(open_office: OpenOffice) -> Office:
    return await open_office()
