"""Two projects' streams in one process: neither receives the other's events, frames or tickets."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from datetime import timedelta
from typing import Final
from uuid import UUID

import pytest

from partywall.core.cache_keys import events_channel
from partywall.core.clock import unix_time
from partywall.core.db.scoped_access import ScopedReader
from partywall.core.events.subscription import StreamOptions
from partywall.core.resources import Resources
from partywall.settings import Settings
from partywall.testing.users import Person, Users
from tests.features.live.event_writer import write
from tests.features.live.server import Serving, serve_without_polling
from tests.features.live.sse import Received, Stream, follow

EVENTS: Final = 40
WRITERS: Final = 4


@pytest.fixture(scope="module")
async def server(settings: Settings) -> AsyncIterator[Serving]:
    async with serve_without_polling(settings) as serving:
        yield serving


async def two(users: Users) -> tuple[tuple[Person, UUID], tuple[Person, UUID]]:
    one, other = await users.person(), await users.person()
    return (one, await one.project()), (other, await other.project())


def assert_own(received: list[Received], project: UUID, foreign: UUID, word: str, foreign_word: str) -> None:
    for event in received:
        assert event.data["project_id"] == str(project)
        assert str(foreign) not in str(event)
        assert foreign_word not in str(event)
    assert any(word in str(event) for event in received)


async def _take(stream: Stream, count: int) -> list[Received]:
    async with asyncio.timeout(60):
        return await stream.take(count)


async def test_two_projects_streams_do_not_mix(users: Users, server: Serving, resources: Resources) -> None:
    """Many readers of each, some from the beginning and some from now on, while both projects are written to."""
    (one, mine), (other, foreign) = await two(users)
    async with (
        follow(server.url, mine, one.token) as a,
        follow(server.url, mine, one.token, after=0) as a_again,
        follow(server.url, foreign, other.token) as b,
        follow(server.url, foreign, other.token, after=0) as b_again,
    ):
        async with asyncio.TaskGroup() as group:
            for _ in range(WRITERS):
                group.create_task(_write_all(resources, one, mine, "amber"))
                group.create_task(_write_all(resources, other, foreign, "bittern"))
        own, theirs = (mine, foreign, "amber", "bittern"), (foreign, mine, "bittern", "amber")
        for stream, whose, before in ((a, own, 0), (a_again, own, 1), (b, theirs, 0), (b_again, theirs, 1)):
            received = await _take(stream, EVENTS + before)
            assert_own(received, *whose)
            assert [event.id for event in received] == list(range(2 - before, EVENTS + 2)), "no gap for the other's"


async def _write_all(resources: Resources, person: Person, project: UUID, word: str) -> None:
    for number in range(EVENTS // WRITERS):
        await write(resources, person, project, f"{word} {number}")


async def overheard(users: Users, resources: Resources) -> list[str]:
    """What the streams of one user's two projects received of each other; `deaf` if one missed its own events.

    The same user, because the log tailer rejects a reader without the right.
    """
    person = await users.person()
    projects = {word: await person.project() for word in ("amber", "bittern")}
    terms = StreamOptions(lambda _: None, unix_time() + 60, timedelta(seconds=0.2))
    reader = ScopedReader(resources.reads, person.principal)
    feeds = {word: await resources.tailers.follow(reader, project, terms) for word, project in projects.items()}
    heard = dict.fromkeys(projects, b"")

    async def listen(word: str) -> None:
        while word.encode() not in heard[word]:
            heard[word] += await feeds[word].next() or b""

    async with asyncio.TaskGroup() as group:
        listening = [group.create_task(listen(word)) for word in projects]
        for number in range(20):
            await asyncio.wait(listening, timeout=0.1)
            for word, project in projects.items():
                await write(resources, person, project, f"{word} {number}")
            if all(task.done() for task in listening):
                break
        for task in listening:
            task.cancel()
    for feed in feeds.values():
        feed.close()
    strays = [
        f"{word} heard {each}"
        for word in projects
        for each in projects
        if each != word and each.encode() in heard[word]
    ]
    return strays + [f"{word} is deaf" for word in projects if word.encode() not in heard[word]]


async def test_one_persons_two_projects_do_not_mix_either(users: Users, resources: Resources) -> None:
    assert await overheard(users, resources) == []


async def test_a_number_of_the_other_project_tells_nothing_of_it(
    users: Users, server: Serving, resources: Resources
) -> None:
    """`Last-Event-ID` of a longer log: the reset names the own project and its oldest event."""
    (one, mine), (other, foreign) = await two(users)
    await write(resources, other, foreign, *(f"bittern {number}" for number in range(50)))
    await write(resources, one, mine, "amber 1")
    async with follow(server.url, mine, one.token, last_event_id=51) as stream:
        reset, *rest = await _take(stream, 3)
    assert (reset.event, reset.data["data"]) == ("reset", {"asked": 51, "oldest": 1})
    assert_own([reset, *rest], mine, foreign, "amber", "bittern")


async def test_a_stream_that_ends_names_its_own_project(users: Users, server: Serving, resources: Resources) -> None:
    (one, mine), (other, foreign) = await two(users)
    await users.join(mine, other, "editor")
    async with follow(server.url, mine, other.token, after=0) as stream:
        await _take(stream, 1)
        await write(resources, one, mine, "amber")
        await write(resources, other, foreign, "bittern")
        before = await _take(stream, 1)  # it has arrived: the end of a membership may overtake an event
        await users.execute("DELETE FROM project_member WHERE project_id = $1 AND account_id = $2", mine, other.id)
        await write(resources, one, mine, "amber again")
        async with asyncio.timeout(60):
            rest = await stream.rest()
    assert_own([*before, *rest], mine, foreign, "amber", "bittern")
    assert "amber again" not in str(rest), "a removed member receives no later events"


async def test_a_ticket_of_one_project_opens_no_other(users: Users, server: Serving) -> None:
    """Even if the user is a member of both projects."""
    (one, mine), (_, foreign) = await two(users)
    await users.join(foreign, one, "viewer")
    for bought, used in ((mine, foreign), (foreign, mine)):
        answer = await one.client.post(f"/api/v1/projects/{bought}/events/ticket")
        async with follow(server.url, used, ticket=answer.json()["ticket"]) as stream:
            assert stream.response.status_code == 401
            assert str(bought) not in stream.response.text


async def test_a_message_on_the_channel_is_no_events(users: Users, server: Serving, resources: Resources) -> None:
    """A message in the cache only wakes readers; the events come from the table."""
    (one, mine), (other, foreign) = await two(users)
    own = await ScopedReader(resources.reads, one.principal).scope(mine)
    await write(resources, other, foreign, "bittern")
    async with follow(server.url, mine, one.token) as stream:
        for forged in (b"99", str(foreign).encode(), b'{"type": "document.created", "project_id": "x"}', b""):
            await resources.cache.publish(events_channel(own), forged)
        await write(resources, one, mine, "amber")
        assert_own(await _take(stream, 1), mine, foreign, "amber", "bittern")
