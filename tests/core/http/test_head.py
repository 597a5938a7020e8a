"""HEAD: GET's response without its body, from every layer."""

from __future__ import annotations

import asyncio
import json
from uuid import UUID, uuid4

import httpx2
import pytest
from httpx2 import AsyncClient
from starlette.types import Receive, Scope, Send

from partywall.core.http.access_log import AccessEntry
from partywall.core.http.forwarded_headers import ForwardedNotice
from partywall.core.http.head import HeadAsGet
from partywall.core.http.middleware import RequestContext
from partywall.core.security.client_address import ClientAddresses
from partywall.settings import Settings
from partywall.testing.users import Person, Users
from tests.features.live.server import serve

VARIES = {"x-request-id", "date"}


async def document(person: Person, project: UUID) -> str:
    body = {"title": "Lease", "content": "The rent is due on the first. " * 100}
    answer = await person.client.post(f"/api/v1/projects/{project}/documents", json=body)
    assert answer.status_code == 201, answer.text
    return str(answer.json()["id"])


def comparable(answer: httpx2.Response) -> dict[str, str]:
    return {name: value for name, value in answer.headers.items() if name not in VARIES}


@pytest.mark.parametrize("path", ["", "/documents", "/documents/{id}", "/documents/{id}/content", "/documents/stats"])
@pytest.mark.parametrize("encoding", ["identity", "gzip"])
async def test_a_head_has_the_headers_of_its_get(users: Users, path: str, encoding: str) -> None:
    person = await users.person()
    project = await person.project()
    url = f"/api/v1/projects/{project}" + path.format(id=await document(person, project))
    got = await person.client.get(url, headers={"Accept-Encoding": encoding})
    head = await person.client.head(url, headers={"Accept-Encoding": encoding})
    assert got.status_code == head.status_code == 200
    assert comparable(head) == comparable(got)
    assert got.content
    assert head.content == b""


async def test_a_tag_that_still_holds_is_304(users: Users) -> None:
    person = await users.person()
    url = f"/api/v1/projects/{await person.project()}"
    tag = (await person.client.head(url)).headers["etag"]
    assert (await person.client.head(url, headers={"If-None-Match": tag})).status_code == 304


async def test_errors_are_those_of_the_get(users: Users, anonymous: AsyncClient) -> None:
    outsider = await users.person()
    for client, url, status in (
        (anonymous, f"/api/v1/projects/{uuid4()}", 401),
        (outsider.client, f"/api/v1/projects/{uuid4()}", 404),
        (outsider.client, "/api/v1/nothing-here", 404),
        (outsider.client, "/api/v1/projects?limit=0", 422),
    ):
        head = await client.head(url)
        assert (head.status_code, head.content) == (status, b"")
        assert head.headers["content-type"] == "application/problem+json"


async def test_a_post_only_route_refuses_head_and_does_not_list_it(anonymous: AsyncClient) -> None:
    refused = await anonymous.head("/api/v1/auth/token")
    assert (refused.status_code, refused.headers["allow"]) == (405, "POST")
    assert (await anonymous.put("/healthz")).headers["allow"] == "GET, HEAD"


async def test_a_stream_gives_its_headers_and_ends(settings: Settings, users: Users) -> None:
    """Over a real connection, which then serves the next request."""
    person = await users.person()
    project = await person.project()
    async with serve(settings) as server, AsyncClient(base_url=server.url, timeout=60) as client:
        client.headers["Authorization"] = f"Bearer {person.token}"
        head = await client.head(f"/api/v1/projects/{project}/events")
        assert (head.status_code, head.content) == (200, b"")
        assert head.headers["content-type"].startswith("text/event-stream")
        async with asyncio.timeout(60):
            while server.server.server_state.tasks:
                await asyncio.sleep(0.01)
        for _ in range(2):
            again = await client.head(f"/api/v1/projects/{project}")
            assert (again.status_code, int(again.headers["content-length"]) > 0) == (200, True)
        got = await client.get(f"/api/v1/projects/{project}")
        assert json.loads(got.content)["id"] == str(project)


async def test_the_access_log_names_a_head_request_and_its_project() -> None:
    async def endpoint(scope: Scope, receive: Receive, send: Send) -> None:
        scope["path_params"] = {"project_id": scope["method"]}
        await send({"type": "http.response.start", "status": 200, "headers": []})
        await send({"type": "http.response.body", "body": b"left out"})

    lines: list[AccessEntry] = []
    transport = httpx2.ASGITransport(
        RequestContext(HeadAsGet(endpoint), lines.append, ForwardedNotice(ClientAddresses([])))
    )
    async with AsyncClient(transport=transport, base_url="http://test") as client:
        assert (await client.head("/")).content == b""
    [line] = lines
    assert (line["method"], line["project_id"]) == ("HEAD", "GET")
