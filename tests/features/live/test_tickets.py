from __future__ import annotations

import asyncio
from datetime import timedelta

from httpx import ASGITransport, AsyncClient

from partywall.core.db.scoped_read import ScopedReader
from partywall.core.resources import Resources
from partywall.features.live.tickets import Tickets
from partywall.settings import CacheSettings, Settings
from tests.features.live.news import write
from tests.features.live.serving import Serving, serve
from tests.features.live.sse import follow
from tests.features.live.test_streams import ends, short_token
from tests.people import People


async def test_a_ticket_opens_one_stream_of_its_project(people: People, server: Serving, resources: Resources) -> None:
    owner = await people.person()
    project, another = await owner.project(), await owner.project()
    answer = await owner.client.post(f"/api/v1/projects/{project}/events/ticket")
    assert answer.status_code == 200
    assert answer.headers["cache-control"] == "no-store"
    assert answer.json().keys() == {"ticket", "expires_in"}
    assert answer.json()["expires_in"] == 30
    ticket = answer.json()["ticket"]
    async with follow(server.url, project, ticket=ticket, after=0) as stream:
        assert stream.response.status_code == 200
        assert (await stream.next()).id == 1
        async with follow(server.url, project, ticket=ticket) as again:
            assert again.response.status_code == 401
        await write(resources, owner, project, "live")
        assert (await stream.next()).id == 2
    ticket = (await owner.client.post(f"/api/v1/projects/{project}/events/ticket")).json()["ticket"]
    async with follow(server.url, another, ticket=ticket) as elsewhere:
        assert elsewhere.response.status_code == 401
    async with follow(server.url, project, ticket=ticket) as spent:
        assert spent.response.status_code == 401


async def test_a_ticket_is_used_once_even_when_two_try_at_the_same_time(people: People, server: Serving) -> None:
    owner = await people.person()
    project = await owner.project()
    ticket = (await owner.client.post(f"/api/v1/projects/{project}/events/ticket")).json()["ticket"]

    async def attempt() -> int:
        async with follow(server.url, project, ticket=ticket) as stream:
            return stream.response.status_code

    assert sorted(await asyncio.gather(*(attempt() for _ in range(5)))) == [200, 401, 401, 401, 401]


async def test_a_ticket_expires(people: People, resources: Resources, server: Serving) -> None:
    owner = await people.person()
    project = await owner.project()
    verified = await resources.access_tokens.verify(owner.token)
    tickets = Tickets(resources.cache, timedelta(seconds=1))
    scope = await ScopedReader(resources.reads, owner.principal).scope(project)
    ticket = await tickets.issue(scope, verified)
    await asyncio.sleep(1.2)
    async with follow(server.url, project, ticket=ticket) as stream:
        assert stream.response.status_code == 401


async def test_a_ticket_is_worth_no_more_than_its_token(people: People, server: Serving, resources: Resources) -> None:
    owner = await people.person()
    project = await owner.project()
    token = await short_token(resources, owner, 2)
    headers = {"Authorization": f"Bearer {token}"}
    answer = await owner.client.post(f"/api/v1/projects/{project}/events/ticket", headers=headers)
    async with follow(server.url, project, ticket=answer.json()["ticket"]) as stream:
        assert await ends(stream, 4) == ["reconnect"]


async def test_a_ticket_loses_its_worth_with_the_membership(people: People, server: Serving) -> None:
    owner, member = await people.person(), await people.person()
    project = await owner.project()
    await people.join(project, member, "viewer")
    ticket = (await member.client.post(f"/api/v1/projects/{project}/events/ticket")).json()["ticket"]
    await people.execute("DELETE FROM project_member WHERE account_id = $1", member.id)
    async with follow(server.url, project, ticket=ticket) as stream:
        assert stream.response.status_code == 404


async def test_the_cache_holds_no_ticket_that_could_be_used(people: People, resources: Resources) -> None:
    owner = await people.person()
    project = await owner.project()
    ticket = (await owner.client.post(f"/api/v1/projects/{project}/events/ticket")).json()["ticket"]
    stored = b" ".join([key async for key in resources.cache.scan_iter("ticket:*")])
    assert stored
    assert ticket.encode() not in stored


async def test_without_a_cache_there_are_no_tickets_but_streams(
    people: People, live_settings: Settings, resources: Resources
) -> None:
    owner = await people.person()
    project = await owner.project()
    nowhere = CacheSettings.model_validate({"engine": "server", "url": "redis://127.0.0.1:1/0"})
    events = live_settings.events.model_copy(update={"poll_interval": timedelta(milliseconds=200)})
    async with serve(live_settings.model_copy(update={"cache": nowhere, "events": events})) as alone:
        transport = ASGITransport(alone.app)
        headers = {"Authorization": f"Bearer {owner.token}"}
        async with AsyncClient(transport=transport, base_url="http://test", headers=headers) as client:
            answer = await client.post(f"/api/v1/projects/{project}/events/ticket")
            assert (answer.status_code, answer.json()["code"]) == (503, "tickets_unavailable")
        async with follow(alone.url, project, ticket="any") as refused:
            assert refused.response.status_code == 503
        async with follow(alone.url, project, owner.token) as stream:
            await write(alone.resources, owner, project, "polled")
            assert (await stream.next()).id == 2
