from __future__ import annotations

import asyncio
from uuid import uuid4

import pytest
from websockets.typing import Origin

from partywall.core.http import event_socket
from partywall.core.http import sockets as core_sockets
from partywall.core.resources import Resources
from partywall.settings import Settings
from partywall.testing.conditions import until
from partywall.testing.users import Users
from tests.features.live.event_writer import write
from tests.features.live.server import Serving, serve
from tests.features.live.sockets import address, greeting, opened, refusal


async def test_the_anonymous_are_refused(server: Serving, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(core_sockets, "FIRST_MESSAGE_SECONDS", 0.3)
    for first in (
        {},
        {"token": ""},
        {"token": "x.y.z"},
        {"token": "pw_" + "x" * 60},
        {"ticket": "guess"},
        {"after": 1},
    ):
        async with opened(server.url, uuid4(), first) as socket:
            assert await socket.closed() == (4401, "not_authenticated"), first
    async with opened(server.url, uuid4()) as silent:
        assert await silent.closed() == (4401, "not_authenticated")
    await until(lambda: server.resources.handshakes.taken == 0)


async def test_an_outsider_learns_nothing(users: Users, server: Serving) -> None:
    owner, outsider = await users.person(), await users.person()
    project = await owner.project()
    for target in (project, uuid4()):
        async with opened(server.url, target, greeting(outsider, after=0)) as socket:
            assert await socket.closed() == (4404, "project_not_found")


@pytest.mark.parametrize("role", ["viewer", "editor"])
async def test_members_follow_the_same_events_as_over_sse(
    users: Users, server: Serving, resources: Resources, role: str
) -> None:
    owner, member = await users.person(), await users.person()
    project = await owner.project()
    await users.join(project, member, role)
    async with opened(server.url, project, greeting(member, after=0)) as socket:
        created = await socket.next()
        await write(resources, owner, project, 'line\nbreak\u2028 "quoted" ж\nid: 7\n\ndata: {}')
        updated = await socket.next()
        assert [created["id"], created["type"]] == [1, "project.created"]
        assert updated.keys() == {"id", "type", "project_id", "at", "actor", "subject", "data"}
        assert [updated["id"], updated["type"]] == [2, "document.updated"]
        assert updated["project_id"] == str(project)
        assert updated["data"] == {"name": 'line\nbreak\u2028 "quoted" ж\nid: 7\n\ndata: {}'}
        assert socket.connection.response is not None
        assert "sec-websocket-extensions" not in socket.connection.response.headers, "must never be compressed"


async def test_a_key_follows_its_project_until_it_is_revoked(
    users: Users, polling: Serving, resources: Resources
) -> None:
    owner = await users.person()
    project, another = await owner.project(), await owner.project()
    keys = f"/api/v1/projects/{project}/api-keys"
    key = (await owner.client.post(keys, json={"name": "reader", "role": "viewer"})).json()
    async with opened(polling.url, another, {"token": key["secret"]}) as elsewhere:
        assert await elsewhere.closed() == (4404, "project_not_found")
    async with opened(polling.url, project, {"token": key["secret"]}) as socket:
        await until(lambda: bool(polling.resources.tailers.followed))
        await write(resources, owner, project, "a")
        assert (await socket.next())["data"] == {"name": "a"}
        assert (await owner.client.delete(f"{keys}/{key['id']}")).status_code == 204
        assert [event["type"] for event in await socket.rest()] in ([], ["project.key_revoked"])
        assert await socket.closed() == (4401, "credential_revoked")


async def test_a_ticket_opens_one_socket_of_its_project(users: Users, server: Serving) -> None:
    owner = await users.person()
    project, another = await owner.project(), await owner.project()

    async def ticket() -> str:
        return str((await owner.client.post(f"/api/v1/projects/{project}/events/ticket")).json()["ticket"])

    first = await ticket()
    async with opened(server.url, project, {"ticket": first, "after": 0}) as socket:
        assert (await socket.next())["id"] == 1
        async with opened(server.url, project, {"ticket": first}) as again:
            assert await again.closed() == (4401, "not_authenticated")
    async with opened(server.url, another, {"ticket": await ticket()}) as elsewhere:
        assert await elsewhere.closed() == (4401, "not_authenticated")


async def test_a_socket_resumes_and_filters(users: Users, server: Serving, resources: Resources) -> None:
    owner = await users.person()
    project = await owner.project()
    for type_ in ("document.created", "member.added", "document.deleted"):
        await write(resources, owner, project, type_, type_=type_)
    async with opened(server.url, project, greeting(owner, after=2, types="document.*")) as socket:
        assert (await socket.next())["id"] == 4
        await write(resources, owner, project, "x", type_="member.added")
        await write(resources, owner, project, "y", type_="document.created")
        assert (await socket.next())["id"] == 6
    async with opened(server.url, project, greeting(owner, after=700)) as lost:
        reset, first = await lost.take(2)
        assert (reset["type"], reset["id"], reset["data"]) == ("reset", 0, {"asked": 700, "oldest": 1})
        assert first["id"] == 1


async def test_sockets_that_come_and_go_get_everything_once_and_in_order(
    users: Users, server: Serving, polling: Serving, resources: Resources
) -> None:
    owner = await users.person()
    project = await owner.project()
    seen: list[int] = []

    async def writer() -> None:
        for number in range(150):
            await write(resources, owner, project, str(number))

    async def reader() -> None:
        while len(seen) < 151:
            url = (server, polling)[len(seen) % 2].url
            async with opened(url, project, greeting(owner, after=seen[-1] if seen else 0)) as socket:
                seen.extend([event["id"] for event in await socket.take(min(151 - len(seen), 17))])

    async with asyncio.timeout(60), asyncio.TaskGroup() as group:
        group.create_task(reader())
        group.create_task(writer())
    assert seen == list(range(1, 152))


@pytest.mark.parametrize(
    "first",
    [
        "", "{", "[]", "null", "hello", b"{}", b"\xff\x00", '{"token": 7}', '{"token": "a", "ticket": "b"}',
        '{"token": "a", "more": 1}', '{"token": "a", "after": -1}', '{"token": "a", "after": 1000000000000000000}',
        '{"token": "a", "types": "*"}', '{"token": "a\\u0000"}', '{"ticket": "' + "x" * 300 + '"}',
    ],
)  # fmt: skip
async def test_a_bad_first_message_is_refused(users: Users, server: Serving, first: str | bytes) -> None:
    async with opened(server.url, uuid4(), first) as socket:
        assert await socket.closed() == (4400, "bad_message")


@pytest.mark.parametrize("message", ["{}", b"\x00", '{"type": "pong"}', '{"type": "ping", "more": 1}', "ping"])
async def test_a_bad_later_message_ends_the_socket(users: Users, server: Serving, message: str | bytes) -> None:
    owner = await users.person()
    project = await owner.project()
    async with opened(server.url, project, greeting(owner, after=0)) as socket:
        assert (await socket.next())["id"] == 1
        await socket.send(message)
        assert await socket.closed() == (4400, "bad_message")


async def test_a_client_may_ping_but_not_all_the_time(users: Users, server: Serving) -> None:
    owner = await users.person()
    project = await owner.project()
    async with opened(server.url, project, greeting(owner)) as socket:
        for _ in range(event_socket.MESSAGES_PER_MINUTE):
            await socket.send({"type": "ping"})
            assert (await socket.connection.recv()) == '{"type":"pong"}'
        await socket.send({"type": "ping"})
        assert await socket.closed() == (4429, "too_many_messages")


async def test_a_message_that_is_too_big_is_not_read(users: Users, server: Serving) -> None:
    owner = await users.person()
    project = await owner.project()
    async with opened(server.url, project, greeting(owner, types="document.*" + ",document.*" * 80)) as socket:
        await socket.send({"type": "ping"})
        assert (await socket.connection.recv()) == '{"type":"pong"}'
        await socket.send(" " * 9000)
        assert (await socket.closed())[0] == 1009
    async with opened(server.url, project, " " * 9000) as socket:
        assert (await socket.closed())[0] == 1009


async def test_pages_of_other_origins_are_refused(users: Users, server: Serving, live_settings: Settings) -> None:
    owner = await users.person()
    project = await owner.project()
    url = address(server.url, project)
    for origin in ("https://evil.example", "null", "http://127.0.0.1:1", "http://127.0.0.1", "x"):
        assert await refusal(url, origin=Origin(origin)) == (403, "origin_not_allowed")
    async with opened(server.url, project, greeting(owner, after=0), origin=server.url) as own:
        assert (await own.next())["id"] == 1
    http = live_settings.http.model_validate(
        {"cors_origins": ("https://app.example",), "public_url": "https://api.example"}
    )
    async with serve(live_settings.model_copy(update={"http": http})) as other:
        for origin in ("https://app.example", "https://api.example"):
            async with opened(other.url, project, greeting(owner, after=0), origin=origin) as allowed:
                assert (await allowed.next())["id"] == 1
        for origin in ("https://b.example", "https://api.example:8443"):
            assert await refusal(address(other.url, project), origin=Origin(origin)) == (403, "origin_not_allowed")


async def test_no_other_path_accepts_sockets(server: Serving) -> None:
    base = server.url.replace("http", "ws", 1)
    for path in ("/", "/api/v1/ws", f"/api/v1/projects/{uuid4()}", f"/api/v1/projects/{uuid4()}/events"):
        assert await refusal(base + path) == (404, "route_not_found")
    assert await refusal(address(server.url, "x")) == (422, "validation_failed")


@pytest.mark.parametrize("after", ["1", True, 1.5, -1, [1]])
async def test_a_position_is_an_integer(users: Users, server: Serving, after: object) -> None:
    owner = await users.person()
    async with opened(server.url, await owner.project(), greeting(owner, after=after)) as socket:
        assert await socket.closed() == (4400, "bad_message")


async def test_the_hint_comes_before_the_close_however_the_server_hurries(
    users: Users, live_settings: Settings
) -> None:
    """The server closes its connections at the moment the application starts to drain."""
    owner = await users.person()
    project = await owner.project()
    async with serve(live_settings) as going, opened(going.url, project, greeting(owner, after=0)) as socket:
        assert (await socket.next())["id"] == 1
        for connection in list(going.server.server_state.connections):
            connection.shutdown()
        going.app.state.draining.set()
        assert [event["type"] for event in await socket.rest()] == ["reconnect"]


async def test_without_a_cache_sockets_poll(users: Users, live_settings: Settings) -> None:
    owner = await users.person()
    project = await owner.project()
    nowhere = live_settings.cache.model_validate({"engine": "server", "url": "redis://127.0.0.1:1/0"})
    events = live_settings.events.model_validate({"poll_interval": 0.2})
    async with serve(live_settings.model_copy(update={"cache": nowhere, "events": events})) as alone:
        async with opened(alone.url, project, {"ticket": "any"}) as socket:
            assert await socket.closed() == (1013, "tickets_unavailable")
        async with opened(alone.url, project, greeting(owner, after=0)) as socket:
            assert (await socket.next())["id"] == 1
            await write(alone.resources, owner, project, "polled")
            assert (await socket.next())["id"] == 2
