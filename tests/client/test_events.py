from __future__ import annotations

import asyncio
import json
from collections.abc import Iterator
from itertools import islice
from pathlib import Path

import pytest

from partywall.client import accounts, events
from partywall.client.api import Api
from partywall.client.errors import ApiError
from partywall.client.sse import ServerEvent
from partywall.settings import Settings
from tests.client.conftest import PASSWORD, Person
from tests.client.proxy import Proxy
from tests.server import environment_of, free_port, program, until_ready


def rename(api: Api, project: str, name: str) -> None:
    api.patch(f"/projects/{project}", {"name": name})


def ids(stream: Iterator[ServerEvent]) -> list[int]:
    return [int(event.id) for event in stream]


def test_stored_events_are_printed_and_then_it_ends(person: Person, api: Api) -> None:
    project = person.project()
    for name in "abc":
        rename(api, project, name)
    assert ids(events.stored(api, project, "0", None)) == [1, 2, 3, 4]
    assert ids(events.stored(api, project, "2", None)) == [3, 4]
    assert ids(events.stored(api, project, "0", "project.created")) == [1]


def test_an_event_reads_as_its_parts(person: Person, api: Api) -> None:
    project = person.project()
    [raw] = events.stored(api, project, "0", None)
    event = events.read_event(raw)
    assert event is not None
    assert (event.id, event.type, event.subject) == (1, "project.created", events.Subject(kind="project", id=project))
    assert json.loads(raw.data)["actor"] == event.actor


def test_following_resumes_after_a_broken_connection(person: Person, api: Api, proxy: Proxy) -> None:
    project = person.project()
    waits: list[str] = []

    def waiting(why: str, _: float) -> None:
        waits.append(why)
        rename(api, project, f"while away {len(waits)}")

    with person.api(server=proxy.url) as through:
        stream = events.follow(through, project, "0", None, waiting)
        assert ids(islice(stream, 1)) == [1]
        proxy.lose = 1
        rename(api, project, "cut off")
        assert ids(islice(stream, 2)) == [2, 3]
    assert len(waits) == 1


def test_following_a_project_of_somebody_else_ends_at_once(api: Api) -> None:
    stream = events.follow(api, "01890000-0000-7000-8000-000000000000", None, None, lambda _why, _delay: None)
    with pytest.raises(ApiError):
        next(stream)


async def test_following_outlives_the_token(person: Person, api: Api, settings: Settings, tmp_path: Path) -> None:
    """The server ends the stream when the token expires; a renewed token resumes it and misses nothing."""
    project = person.project()
    port = free_port()
    short = Person(f"http://127.0.0.1:{port}", person.email, person.store)
    environment = environment_of(settings) | {"ACCOUNTS__ACCESS_TOKEN_TTL": "PT2S"}
    async with program("api", "--port", str(port), environment=environment, log=tmp_path / "log"):
        await until_ready(short.server)
        await asyncio.to_thread(accounts.log_in, short.store, short.server, short.email, PASSWORD)
        first = short.file.read()
        waits: list[str] = []
        with short.api() as through:
            stream = events.follow(through, project, "0", None, lambda why, _: waits.append(why))
            assert await asyncio.to_thread(_next_id, stream) == 1
            async with asyncio.timeout(60), asyncio.TaskGroup() as group:
                second = group.create_task(asyncio.to_thread(_next_id, stream))
                while short.file.read() == first:
                    await asyncio.sleep(0.02)
                await asyncio.to_thread(rename, api, project, "later")
        assert second.result() == 2
    assert waits == []


def _next_id(stream: Iterator[ServerEvent]) -> int:
    return int(next(stream).id)
