"""A removal or another role holds from the next request on, whatever a process remembers, and ends open streams."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from datetime import timedelta

import pytest
from httpx2 import Response

from partywall.settings import EventSettings, Settings
from tests.features.live.serving import Serving, serve
from tests.features.live.sse import Stream, follow
from tests.features.projects.house import House, said
from tests.people import Person


@pytest.fixture(scope="module")
async def server(settings: Settings) -> AsyncIterator[Serving]:
    """Polls so slowly that what ends promptly was told to look."""
    # A quicker heartbeat than an operator may set, so that a test waits for less.
    quick = {"poll_interval": timedelta(hours=1), "heartbeat": timedelta(milliseconds=200)}
    events = EventSettings().model_copy(update=quick)
    async with serve(settings.model_copy(update={"events": events})) as serving:
        yield serving


async def write(person: Person, house: House) -> Response:
    return await person.client.post(f"{house.url}/documents", json={"title": "A title", "content": "Some text"})


async def read(person: Person, made: Response) -> Response:
    return await person.client.get(made.headers["location"])


async def test_who_was_removed_is_a_stranger_at_once(house: House) -> None:
    made = await write(house.editor, house)
    # Twice, so that the token is known and the hot lane serves it.
    assert [(await read(house.editor, made)).status_code for _ in range(2)] == [200, 200]
    assert (await house.admin.client.delete(house.member(house.editor))).status_code == 204
    refused = [
        await read(house.editor, made),
        await house.editor.client.get(f"{house.url}/documents"),
        await write(house.editor, house),
        await house.editor.client.get(house.url),
        await house.editor.client.get(f"{house.url}/members"),
        await house.editor.client.get(f"{house.url}/search", params={"q": "text"}),
        await house.editor.client.post(f"{house.url}/events/ticket"),
    ]
    assert [said(answer) for answer in refused] == [(404, "project_not_found")] * len(refused)
    assert (await read(house.viewer, made)).status_code == 200


async def test_who_was_lowered_writes_no_more(house: House) -> None:
    made = await write(house.editor, house)
    assert (await house.owner.client.patch(house.member(house.editor), json={"role": "viewer"})).status_code == 200
    refused = [
        await write(house.editor, house),
        await house.editor.client.patch(made.headers["location"], json={"title": "Mine"}),
        await house.editor.client.delete(made.headers["location"]),
    ]
    assert [(answer.status_code, answer.json()["right"]) for answer in refused] == [(403, "document.write")] * 3
    assert (await read(house.editor, made)).json()["title"] == "A title"


async def test_who_was_raised_may_at_once(house: House) -> None:
    assert (await write(house.viewer, house)).status_code == 403
    assert (await house.owner.client.patch(house.member(house.viewer), json={"role": "editor"})).status_code == 200
    assert (await write(house.viewer, house)).status_code == 201


async def rest(stream: Stream) -> list[str]:
    """What still came until the server ended the stream, promptly."""
    async with asyncio.timeout(60):
        return [event.event for event in await stream.rest()]


async def test_an_open_stream_ends_with_the_membership(house: House, server: Serving) -> None:
    async with follow(server.url, house.project, house.editor.token, after=0) as stream:
        assert (await stream.next()).event == "project.created"
        assert (await house.admin.client.delete(house.member(house.editor))).status_code == 204
        assert await rest(stream) == []
    async with follow(server.url, house.project, house.editor.token) as again:
        assert again.response.status_code == 404


async def test_an_open_stream_ends_when_its_reader_leaves(house: House, server: Serving) -> None:
    async with (
        follow(server.url, house.project, house.viewer.token, after=0) as own,
        follow(server.url, house.project, house.owner.token, after=0) as other,
    ):
        assert [(await own.next()).event, (await other.next()).event] == ["project.created"] * 2
        assert (await house.viewer.client.delete(f"{house.url}/members/me")).status_code == 204
        assert await rest(own) == []
        told = await other.next()
    assert told.event == "member.removed"
    assert told.data["subject"] == {"kind": "member", "id": str(house.viewer.id)}
    assert (told.data["data"], "@" in str(told.data)) == ({"role": "viewer"}, False)


async def test_an_open_stream_ends_with_another_role_and_may_be_opened_anew(house: House, server: Serving) -> None:
    async with follow(server.url, house.project, house.editor.token, after=0) as stream:
        assert (await stream.next()).event == "project.created"
        assert (await house.admin.client.patch(house.member(house.editor), json={"role": "viewer"})).is_success
        assert (await rest(stream))[-1] == "reconnect"
    async with follow(server.url, house.project, house.editor.token, after=1) as again:
        assert (await again.next()).event == "member.updated"
