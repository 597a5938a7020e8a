"""A removal or role change applies from the next request, despite caches, and ends open streams."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator

import pytest
from httpx2 import Response

from partywall.settings import Settings
from partywall.testing.users import Person
from tests.features.live.server import Serving, serve_without_polling
from tests.features.live.sse import Stream, follow
from tests.features.projects.team import Team, said


@pytest.fixture(scope="module")
async def server(settings: Settings) -> AsyncIterator[Serving]:
    async with serve_without_polling(settings) as serving:
        yield serving


async def write(person: Person, team: Team) -> Response:
    return await person.client.post(f"{team.url}/documents", json={"title": "A title", "content": "Some text"})


async def read(person: Person, made: Response) -> Response:
    return await person.client.get(made.headers["location"])


async def test_a_removed_member_is_an_outsider_at_once(team: Team) -> None:
    made = await write(team.editor, team)
    # Twice, so that the token is cached and the fast path answers.
    assert [(await read(team.editor, made)).status_code for _ in range(2)] == [200, 200]
    assert (await team.admin.client.delete(team.member(team.editor))).status_code == 204
    refused = [
        await read(team.editor, made),
        await team.editor.client.get(f"{team.url}/documents"),
        await write(team.editor, team),
        await team.editor.client.get(team.url),
        await team.editor.client.get(f"{team.url}/members"),
        await team.editor.client.get(f"{team.url}/search", params={"q": "text"}),
        await team.editor.client.post(f"{team.url}/events/ticket"),
    ]
    assert [said(answer) for answer in refused] == [(404, "project_not_found")] * len(refused)
    assert (await read(team.viewer, made)).status_code == 200


async def test_a_demoted_member_cannot_write(team: Team) -> None:
    made = await write(team.editor, team)
    assert (await team.owner.client.patch(team.member(team.editor), json={"role": "viewer"})).status_code == 200
    refused = [
        await write(team.editor, team),
        await team.editor.client.patch(made.headers["location"], json={"title": "Mine"}),
        await team.editor.client.delete(made.headers["location"]),
    ]
    assert [(answer.status_code, answer.json()["right"]) for answer in refused] == [(403, "document.write")] * 3
    assert (await read(team.editor, made)).json()["title"] == "A title"


async def test_a_promoted_member_can_write_at_once(team: Team) -> None:
    assert (await write(team.viewer, team)).status_code == 403
    assert (await team.owner.client.patch(team.member(team.viewer), json={"role": "editor"})).status_code == 200
    assert (await write(team.viewer, team)).status_code == 201


async def rest(stream: Stream) -> list[str]:
    """The remaining events until the server ends the stream, with a short timeout."""
    async with asyncio.timeout(60):
        return [event.event for event in await stream.rest()]


async def test_an_open_stream_ends_with_the_membership(team: Team, server: Serving) -> None:
    async with follow(server.url, team.project, team.editor.token, after=0) as stream:
        assert (await stream.next()).event == "project.created"
        assert (await team.admin.client.delete(team.member(team.editor))).status_code == 204
        assert await rest(stream) == []
    async with follow(server.url, team.project, team.editor.token) as again:
        assert again.response.status_code == 404


async def test_an_open_stream_ends_when_its_reader_leaves(team: Team, server: Serving) -> None:
    async with (
        follow(server.url, team.project, team.viewer.token, after=0) as own,
        follow(server.url, team.project, team.owner.token, after=0) as other,
    ):
        assert [(await own.next()).event, (await other.next()).event] == ["project.created"] * 2
        assert (await team.viewer.client.delete(f"{team.url}/members/me")).status_code == 204
        assert await rest(own) == []
        told = await other.next()
    assert told.event == "member.removed"
    assert told.data["subject"] == {"kind": "member", "id": str(team.viewer.id)}
    assert (told.data["data"], "@" in str(told.data)) == ({"role": "viewer"}, False)


async def test_an_open_stream_ends_with_another_role_and_may_be_opened_anew(team: Team, server: Serving) -> None:
    async with follow(server.url, team.project, team.editor.token, after=0) as stream:
        assert (await stream.next()).event == "project.created"
        assert (await team.admin.client.patch(team.member(team.editor), json={"role": "viewer"})).is_success
        assert (await rest(stream))[-1] == "reconnect"
    async with follow(server.url, team.project, team.editor.token, after=1) as again:
        assert (await again.next()).event == "member.updated"
