"""No account gets more than a third of a process's streams, however many keys, projects and tickets it has."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from contextlib import AsyncExitStack
from uuid import UUID

import pytest
from httpx2 import AsyncClient

from partywall.core.events import pace, past_reads
from partywall.settings import Settings
from partywall.testing.conditions import until
from partywall.testing.users import Person, Users
from tests.features.live.server import Serving, serve
from tests.features.live.sockets import opened
from tests.features.live.sse import follow


@pytest.fixture(scope="module")
async def shared(live_settings: Settings) -> AsyncIterator[Serving]:
    """Nine streams in total, three for an account."""
    events = live_settings.events.model_copy(update={"connections": 9})
    async with serve(live_settings.model_copy(update={"events": events})) as serving:
        yield serving


async def new_key(person: Person, project: UUID) -> str:
    body = {"name": "k", "role": "viewer"}
    answer = await person.client.post(f"/api/v1/projects/{project}/api-keys", json=body)
    return str(answer.json()["secret"])


async def create(person: Person, project: UUID, title: str) -> None:
    answer = await person.client.post(f"/api/v1/projects/{project}/documents", json={"title": title, "content": "x"})
    assert answer.status_code == 201, answer.text


def is_followed(serving: Serving, project: UUID) -> bool:
    """Whether new events of the project are delivered to a stream, which has read all past ones."""
    tailers = serving.resources.tailers._tailers.values()
    return any(subscription.project_id == project for tailer in tailers for subscription in tailer.subscriptions)


async def new_ticket(token: str, person: Person, project: UUID) -> str:
    headers = {"Authorization": f"Bearer {token}"}
    answer = await person.client.post(f"/api/v1/projects/{project}/events/ticket", headers=headers)
    assert answer.status_code == 200, answer.text
    return str(answer.json()["ticket"])


async def test_the_keys_of_all_projects_count_for_their_owner(users: Users, shared: Serving) -> None:
    owner, outsider = await users.person(), await users.person()
    projects = [await owner.project() for _ in range(4)]
    keys = [(project, await new_key(owner, project)) for project in projects]
    theirs = await outsider.project()
    async with AsyncExitStack() as stack:
        (one, first), (two, second), (three, third), (four, fourth) = keys
        streams = [
            await stack.enter_async_context(follow(shared.url, project, key, after=0))
            for project, key in ((one, first), (two, second))
        ]
        assert [(await stream.next()).id for stream in streams] == [1, 1]
        hello = {"ticket": await new_ticket(third, owner, three), "after": 0}
        socket = await stack.enter_async_context(opened(shared.url, three, hello))
        assert (await socket.next())["id"] == 1
        async with follow(shared.url, four, fourth) as refused:
            assert (refused.response.status_code, refused.response.json()["code"]) == (429, "too_many_streams")
        async with follow(shared.url, four, ticket=await new_ticket(fourth, owner, four)) as refused:
            assert refused.response.status_code == 429
        async with opened(shared.url, four, {"token": owner.token}) as closed:
            assert await closed.closed() == (4429, "too_many_streams")
        async with follow(shared.url, theirs, outsider.token, after=0) as served:
            assert (await served.next()).id == 1
    await until(lambda: shared.resources.tailers._slots.taken == 0)


async def test_an_outsider_takes_no_slot_of_a_project(users: Users, shared: Serving) -> None:
    owner, outsider = await users.person(), await users.person()
    project = await owner.project()
    for _ in range(4):
        async with follow(shared.url, project, outsider.token) as refused:
            assert refused.response.status_code == 404
    async with follow(shared.url, project, owner.token, after=0) as served:
        assert (await served.next()).id == 1
        assert shared.resources.tailers._slots.taken == 1


async def test_tickets_that_nobody_uses_have_a_limit(users: Users, shared: Serving) -> None:
    owner, outsider = await users.person(), await users.person()
    project, theirs = await owner.project(), await outsider.project()
    counted = f"/api/v1/projects/{project}/events/ticket"
    own = {"Authorization": f"Bearer {owner.token}"}
    keys = {"Authorization": f"Bearer {await new_key(owner, project)}"}
    async with AsyncClient(base_url=shared.url, timeout=60) as client:
        answers = [await client.post(counted, headers=headers) for headers in (own, keys, own, keys)]
        assert [answer.status_code for answer in answers] == [200, 200, 200, 429]
        assert answers[-1].json()["code"] == "too_many_tickets"
        assert int(answers[-1].headers["retry-after"]) == 30
        url = f"/api/v1/projects/{theirs}/events/ticket"
        other = await client.post(url, headers={"Authorization": f"Bearer {outsider.token}"})
        assert other.status_code == 200


async def test_an_account_whose_streams_take_too_much_slows_down_alone(
    users: Users, server: Serving, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(pace, "STREAM", 1000.0)
    monkeypatch.setattr(pace, "LONGEST", 1000.0)
    owner, outsider = await users.person(), await users.person()
    project, theirs = await owner.project(), await outsider.project()
    async with follow(server.url, project, owner.token) as slow, follow(server.url, theirs, outsider.token) as other:
        for title in ("one", "two"):
            await create(owner, project, title)
            if title == "one":
                await slow.next()
        await create(outsider, theirs, "three")
        await other.next()
        with pytest.raises(TimeoutError):
            async with asyncio.timeout(0.3):
                await slow.next()


async def test_a_socket_pays_for_each_message(users: Users, server: Serving, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(pace, "MESSAGE", 1000.0)
    monkeypatch.setattr(pace, "LONGEST", 1000.0)
    owner = await users.person()
    streamed, sent = await owner.project(), await owner.project()
    async with follow(server.url, streamed, owner.token) as stream:
        for title in ("one", "two"):
            await create(owner, streamed, title)
            await stream.next()
    async with opened(server.url, sent, {"token": owner.token, "after": 1}) as socket:
        await until(lambda: is_followed(server, sent))
        await create(owner, sent, "three")
        await socket.next()
        await create(owner, sent, "four")
        with pytest.raises(TimeoutError):
            async with asyncio.timeout(0.3):
                await socket.next()


async def test_past_events_count_and_wait(users: Users, server: Serving, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(pace, "LONGEST", 1000.0)
    monkeypatch.setattr(past_reads, "READ", 1000.0)
    owner, outsider = await users.person(), await users.person()
    project, theirs = await owner.project(), await outsider.project()
    taken = server.resources.tailers._slots.taken
    async with follow(server.url, project, owner.token, after=0) as first:
        assert (await first.next()).id == 1
        async with follow(server.url, project, owner.token, after=0) as second:
            async with follow(server.url, theirs, outsider.token, after=0) as other:
                assert (await other.next()).id == 1
            with pytest.raises(TimeoutError):
                async with asyncio.timeout(0.3):
                    await second.next()
    await until(lambda: server.resources.tailers._slots.taken == taken)
    await until(lambda: not server.resources.tailers._past_reads._turns.in_use)
