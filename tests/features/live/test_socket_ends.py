"""What ends a socket: a lost right, a revoked credential, a server that drains."""

from __future__ import annotations

import asyncio
import json
from uuid import uuid4

import pytest

from partywall.core.resources import Resources
from partywall.settings import Settings
from partywall.testing.conditions import until
from partywall.testing.users import Users
from tests.features.live.event_writer import write
from tests.features.live.server import Serving, serve
from tests.features.live.sockets import address, greeting, opened, refusal
from tests.features.live.sse import follow
from tests.features.live.test_streams import a_minute_later, short_token


@pytest.mark.parametrize(
    ("act", "code", "reason"),
    [
        ("DELETE FROM project_member WHERE account_id = $1", 4404, "project_not_found"),
        ("UPDATE account SET disabled_at = now() WHERE id = $1", 4401, "credential_revoked"),
        ("UPDATE project_member SET role = 'viewer' WHERE account_id = $1", 1012, "role_changed"),
        (
            "DELETE FROM project WHERE id IN (SELECT project_id FROM project_member WHERE account_id = $1)",
            4404,
            "project_not_found",
        ),
    ],
)
async def test_a_socket_ends_when_the_right_is_lost(
    users: Users, polling: Serving, act: str, code: int, reason: str
) -> None:
    owner, member = await users.person(), await users.person()
    project = await owner.project()
    await users.join(project, member, "editor")
    async with opened(polling.url, project, greeting(member, after=0)) as socket:
        assert (await socket.next())["type"] == "project.created"
        await users.execute(act, member.id)
        rest = await socket.rest()
        assert [event["type"] for event in rest] == (["reconnect"] if reason == "role_changed" else [])
        assert await socket.closed() == (code, reason)


async def test_a_removed_member_is_told_no_more(users: Users, server: Serving, resources: Resources) -> None:
    owner, member = await users.person(), await users.person()
    project = await owner.project()
    await users.join(project, member, "viewer")
    async with opened(server.url, project, greeting(member, after=0)) as socket:
        assert (await socket.next())["id"] == 1
        await users.execute("DELETE FROM project_member WHERE account_id = $1", member.id)
        await write(resources, owner, project, "secret")
        assert await socket.rest() == []
        assert await socket.closed() == (4404, "project_not_found")


async def test_a_socket_ends_when_its_session_is_revoked(users: Users, polling: Serving, resources: Resources) -> None:
    owner = await users.person()
    project, session = await owner.project(), uuid4()
    await users.execute(
        "INSERT INTO session (id, account_id, expires_at) VALUES ($1, $2, now() + interval '1 day')", session, owner.id
    )
    token = (await resources.access_tokens.issue(owner.id, session)).token
    async with opened(polling.url, project, {"token": token, "after": 0}) as socket:
        assert (await socket.next())["id"] == 1
        await users.execute("UPDATE session SET revoked_at = now() WHERE id = $1", session)
        assert await socket.closed() == (4401, "credential_revoked")


async def test_a_socket_ends_with_its_credential_and_says_where_to_resume(
    users: Users, server: Serving, resources: Resources, monkeypatch: pytest.MonkeyPatch
) -> None:
    owner = await users.person()
    project = await owner.project()
    token = await short_token(resources, owner, 60)
    async with opened(server.url, project, {"token": token, "after": 0}) as socket:
        assert (await socket.next())["id"] == 1
        a_minute_later(monkeypatch)
        [last] = await socket.rest()
        assert (last["type"], last["id"], last["data"]) == ("reconnect", 1, {"reason": "credential_expired"})
        assert await socket.closed() == (4401, "credential_expired")


async def test_a_server_that_drains_says_so_and_stops(users: Users, live_settings: Settings) -> None:
    owner = await users.person()
    project = await owner.project()
    async with serve(live_settings) as going, opened(going.url, project, greeting(owner, after=0)) as socket:
        assert (await socket.next())["id"] == 1
        stopping = asyncio.create_task(going.stop())
        [last] = await socket.rest()
        await stopping
        assert (last["type"], last["id"], last["data"]) == ("reconnect", 1, {"reason": "server_draining"})
        assert await socket.closed() == (1012, "server_draining")


async def test_a_server_that_drains_lets_nobody_in(users: Users, live_settings: Settings) -> None:
    """Neither new connections nor half-open handshakes; the next process serves them."""
    owner = await users.person()
    project = await owner.project()
    async with serve(live_settings) as going, opened(going.url, project) as late:
        await until(lambda: going.resources.handshakes.taken == 1)
        going.app.state.draining.set()
        assert await refusal(address(going.url, project)) == (503, "server_draining")
        await late.connection.send(json.dumps(greeting(owner)))
        assert await late.closed() == (1013, "server_draining")
        async with follow(going.url, project, owner.token) as stream:
            assert (stream.response.status_code, stream.response.headers["retry-after"]) == (503, "1")
            assert stream.response.json()["code"] == "server_draining"
