"""Two projects' WebSockets in one process; the OpenAPI document, which the attack reads, does not list them."""

from __future__ import annotations

import asyncio
import json
from collections.abc import AsyncIterator
from typing import Final
from uuid import UUID, uuid4

import pytest

from partywall.core.resources import Resources
from partywall.settings import Settings
from partywall.testing.users import Person, Users
from tests.features.live.event_writer import write
from tests.features.live.server import Serving, serve_without_polling
from tests.features.live.sockets import opened
from tests.features.live.sse import Body
from tests.isolation.test_beyond_routes_streams import two

EVENTS: Final = 40
WRITERS: Final = 4


@pytest.fixture(scope="module")
async def server(settings: Settings) -> AsyncIterator[Serving]:
    async with serve_without_polling(settings) as serving:
        yield serving


def assert_own(received: list[Body], project: UUID, foreign: UUID, word: str, foreign_word: str) -> None:
    for event in received:
        assert event["project_id"] == str(project)
        assert str(foreign) not in json.dumps(event)
        assert foreign_word not in json.dumps(event)
    assert word in json.dumps(received)


async def test_two_projects_sockets_do_not_mix(users: Users, server: Serving, resources: Resources) -> None:
    """Some readers from the beginning and some from now on, while both projects are written to."""
    (one, mine), (other, foreign) = await two(users)
    async with (
        opened(server.url, mine, {"token": one.token, "after": 1}) as a,
        opened(server.url, mine, {"token": one.token, "after": 0}) as a_again,
        opened(server.url, foreign, {"token": other.token, "after": 1}) as b,
        opened(server.url, foreign, {"token": other.token, "after": 0}) as b_again,
    ):
        async with asyncio.TaskGroup() as group:
            for _ in range(WRITERS):
                group.create_task(_write_all(resources, one, mine, "amber"))
                group.create_task(_write_all(resources, other, foreign, "bittern"))
        own, theirs = (mine, foreign, "amber", "bittern"), (foreign, mine, "bittern", "amber")
        for socket, whose, before in ((a, own, 0), (a_again, own, 1), (b, theirs, 0), (b_again, theirs, 1)):
            received = await socket.take(EVENTS + before)
            assert_own(received, *whose)
            assert [event["id"] for event in received] == list(range(2 - before, EVENTS + 2)), "no gap for the other's"


async def _write_all(resources: Resources, person: Person, project: UUID, word: str) -> None:
    for number in range(EVENTS // WRITERS):
        await write(resources, person, project, f"{word} {number}")


async def test_no_credential_of_one_project_opens_the_other(users: Users, server: Serving) -> None:
    """A member, a key and a ticket of one project get the same answers as for a project that does not exist."""
    (one, mine), (_, foreign) = await two(users)
    created = await one.client.post(f"/api/v1/projects/{mine}/api-keys", json={"name": "k", "role": "editor"})
    for token in (one.token, created.json()["secret"]):
        closes = []
        for target in (foreign, uuid4()):
            async with opened(server.url, target, {"token": token, "after": 0}) as socket:
                assert await socket.rest() == []
                closes.append(await socket.closed())
        assert closes == [(4404, "project_not_found")] * 2
    for target in (foreign, uuid4()):
        ticket = (await one.client.post(f"/api/v1/projects/{mine}/events/ticket")).json()["ticket"]
        async with opened(server.url, target, {"ticket": ticket, "after": 0}) as socket:
            assert await socket.closed() == (4401, "not_authenticated")


async def test_a_ticket_of_one_project_opens_no_other_for_who_is_at_home_in_both(users: Users, server: Serving) -> None:
    (one, mine), (_, foreign) = await two(users)
    await users.join(foreign, one, "viewer")
    for bought, used in ((mine, foreign), (foreign, mine)):
        answer = await one.client.post(f"/api/v1/projects/{bought}/events/ticket")
        async with opened(server.url, used, {"ticket": answer.json()["ticket"]}) as socket:
            assert await socket.closed() == (4401, "not_authenticated")


async def test_a_number_of_the_other_project_tells_nothing_of_it(
    users: Users, server: Serving, resources: Resources
) -> None:
    (one, mine), (other, foreign) = await two(users)
    await write(resources, other, foreign, *(f"bittern {number}" for number in range(50)))
    await write(resources, one, mine, "amber 1")
    async with opened(server.url, mine, {"token": one.token, "after": 51}) as socket:
        reset, *rest = await socket.take(3)
    assert (reset["type"], reset["data"]) == ("reset", {"asked": 51, "oldest": 1})
    assert_own([reset, *rest], mine, foreign, "amber", "bittern")


async def test_a_socket_that_ends_names_its_own_project(users: Users, server: Serving, resources: Resources) -> None:
    (one, mine), (other, foreign) = await two(users)
    await users.join(mine, other, "editor")
    async with opened(server.url, mine, {"token": other.token, "after": 0}) as socket:
        first = await socket.next()
        await write(resources, other, foreign, "bittern")
        await write(resources, one, mine, "amber")
        first_events = await socket.next()
        await users.execute("DELETE FROM project_member WHERE project_id = $1 AND account_id = $2", mine, other.id)
        await write(resources, one, mine, "amber again")
        rest = await socket.rest()
    assert_own([first, first_events, *rest], mine, foreign, "amber", "bittern")
    assert "amber again" not in json.dumps(rest), "a removed member receives no later events"
