from __future__ import annotations

from datetime import datetime
from uuid import uuid4

import httpx2
import pytest
from httpx2 import AsyncClient

from partywall.core.resources import Resources
from partywall.testing.users import Users
from tests.features.live.event_writer import write
from tests.features.live.server import Serving
from tests.features.live.sse import follow


async def test_the_anonymous_are_refused(anonymous: AsyncClient) -> None:
    for path in (f"{uuid4()}/events", f"{uuid4()}/events?ticket=guess", f"{uuid4()}/events?ticket=", "x/events"):
        answer = await anonymous.get(f"/api/v1/projects/{path}")
        assert (answer.status_code, answer.headers["www-authenticate"]) == (401, "Bearer"), path
    assert (await anonymous.post(f"/api/v1/projects/{uuid4()}/events/ticket")).status_code == 401
    forged = await anonymous.get(f"/api/v1/projects/{uuid4()}/events", headers={"Authorization": "Bearer x.y.z"})
    assert forged.status_code == 401


async def test_an_outsider_learns_nothing(users: Users) -> None:
    owner, outsider = await users.person(), await users.person()
    project = await owner.project()
    unknown = await outsider.client.get(f"/api/v1/projects/{uuid4()}/events")
    for method, path in (("GET", "events"), ("GET", "events?after=0"), ("POST", "events/ticket")):
        answer = await outsider.client.request(method, f"/api/v1/projects/{project}/{path}")
        assert answer.status_code == 404
        assert answer.json()["code"] == unknown.json()["code"] == "project_not_found"


@pytest.mark.parametrize(
    ("query", "header"),
    [
        ("after=x", None), ("after=-1", None), ("after=", None), ("after=1.0", None), (f"after={10**18}", None),
        ("", "abc"), ("", "-5"), ("", "1 2"), ("", "٣".encode()),
        ("types=", None), ("types=document", None), ("types=*", None), ("types=document.*,", None),
        ("types=Document.created", None), ("types=document.created;drop", None), ("types=document.%00", None),
    ],
)  # fmt: skip
async def test_a_bad_position_or_filter_is_refused(users: Users, query: str, header: str | bytes | None) -> None:
    owner = await users.person()
    project = await owner.project()
    headers = (
        {}
        if header is None
        else httpx2.Headers([(b"Last-Event-ID", header if isinstance(header, bytes) else header.encode())])
    )
    answer = await owner.client.get(f"/api/v1/projects/{project}/events?{query}", headers=headers)
    assert (answer.status_code, answer.json()["code"]) == (422, "validation_failed"), answer.text


async def test_a_client_that_has_received_nothing_may_say_so(users: Users, server: Serving) -> None:
    owner = await users.person()
    project = await owner.project()
    async with follow(server.url, project, owner.token, last_event_id="", after=0) as stream:
        assert (await stream.next()).event == "project.created"


async def test_the_wire_format(users: Users, server: Serving, resources: Resources) -> None:
    owner = await users.person()
    project = await owner.project()
    async with follow(server.url, project, owner.token, after=0) as stream:
        assert stream.response.headers["content-type"] == "text/event-stream; charset=utf-8"
        assert stream.response.headers["cache-control"] == "no-store, no-transform"
        assert stream.response.headers["x-accel-buffering"] == "no"
        assert "content-encoding" not in stream.response.headers
        created = await stream.next()
        await write(resources, owner, project, 'line\nbreak\r\u2028 "quoted" ж')
        updated = await stream.next()
    assert (created.id, created.event) == (1, "project.created")
    assert created.data["id"] == 1
    assert set(updated.data) == {"id", "type", "project_id", "at", "actor", "subject", "data"}
    assert (updated.id, updated.event) == (2, "document.updated") == (updated.data["id"], updated.data["type"])
    assert updated.data["project_id"] == str(project)
    assert updated.data["actor"] == f"user:{owner.id}"
    assert updated.data["subject"]["kind"] == "document"
    assert updated.data["data"] == {"name": 'line\nbreak\r\u2028 "quoted" ж'}
    assert updated.data["at"].endswith("Z")
    assert datetime.fromisoformat(updated.data["at"]) > datetime.fromisoformat(created.data["at"])


async def test_events_are_never_compressed(users: Users, server: Serving) -> None:
    owner = await users.person()
    project = await owner.project("x" * 200)
    async with follow(server.url, project, owner.token, after=0) as stream:
        assert stream.response.request.headers["accept-encoding"].startswith("gzip")
        assert "content-encoding" not in stream.response.headers
        assert (await stream.next()).id == 1


async def test_without_a_position_the_stream_starts_with_what_comes(
    users: Users, server: Serving, resources: Resources
) -> None:
    owner = await users.person()
    project = await owner.project()
    async with follow(server.url, project, owner.token) as stream:
        await write(resources, owner, project, "new")
        assert (await stream.next()).id == 2


async def test_the_header_wins_over_the_query(users: Users, server: Serving, resources: Resources) -> None:
    owner = await users.person()
    project = await owner.project()
    await write(resources, owner, project, "a", "b", "c")
    async with follow(server.url, project, owner.token, last_event_id=2, after=0) as stream:
        assert (await stream.next()).id == 3


async def test_types_filter_by_name_and_by_group(users: Users, server: Serving, resources: Resources) -> None:
    owner = await users.person()
    project = await owner.project()
    for type_ in ("document.created", "document.deleted", "member.added", "documents.created"):
        await write(resources, owner, project, type_, type_=type_)
    async with (
        follow(server.url, project, owner.token, after=0, types="document.*") as group,
        follow(server.url, project, owner.token, after=0, types="document.created,member.added") as named,
    ):
        assert [each.event for each in await group.take(2)] == ["document.created", "document.deleted"]
        assert [each.event for each in await named.take(2)] == ["document.created", "member.added"]
        for type_ in ("member.added", "document.deleted", "document.created"):
            await write(resources, owner, project, type_, type_=type_)
        assert [(each.id, each.event) for each in await group.take(2)] == [
            (7, "document.deleted"),
            (8, "document.created"),
        ]
        assert [(each.id, each.event) for each in await named.take(2)] == [(6, "member.added"), (8, "document.created")]


async def test_a_silent_stream_shows_that_it_lives(users: Users, server: Serving, resources: Resources) -> None:
    owner = await users.person()
    project = await owner.project()
    async with follow(server.url, project, owner.token) as stream:
        lines = stream.response.aiter_lines()
        assert [(await anext(lines))[:1] for _ in range(3)] == [":", ":", ":"]


async def test_a_position_that_was_never_given_is_reset(users: Users, server: Serving) -> None:
    owner = await users.person()
    project = await owner.project()
    async with follow(server.url, project, owner.token, last_event_id=700) as stream:
        reset, created = await stream.take(2)
    assert (reset.event, reset.id, reset.data["data"]) == ("reset", 0, {"asked": 700, "oldest": 1})
    assert (created.event, created.id) == ("project.created", 1)
