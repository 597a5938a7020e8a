"""A worker hears of news and looks at once; what it does not hear of it finds by looking anyway."""

from __future__ import annotations

import asyncio
from collections.abc import Collection, Iterator
from contextlib import contextmanager
from dataclasses import replace
from datetime import timedelta
from uuid import UUID, uuid4

import pytest

from partywall.core import stopping
from partywall.core.cache_keys import NEWS
from partywall.core.events.newswire import Follower, Newswire, headlines
from partywall.core.resources import Resources
from partywall.features.webhooks.news import MOST, FreshNews
from partywall.features.webhooks.turn_repository import CLAIM_OF
from tests.features.webhooks.conftest import OpenOffice
from tests.features.webhooks.post import Office, dispatching, until
from tests.features.webhooks.receiver import Arrived, Receiver, status

NEVER = timedelta(hours=1)


class Deaf(Newswire):
    """Hears nothing, as without a cache."""

    def __init__(self) -> None:
        pass

    @contextmanager
    def followed_by(self, told: Follower) -> Iterator[None]:
        yield


async def listening(resources: Resources) -> None:
    """What is published now is heard in this process."""
    heard = asyncio.Event()

    def hear(projects: Collection[UUID]) -> None:
        if projects:
            heard.set()

    with resources.newswire.followed_by(hear):
        async with asyncio.timeout(60):
            while not heard.is_set():
                await resources.cache.publish(NEWS, headlines({uuid4()}))
                await asyncio.sleep(0.01)


async def test_an_event_is_sent_at_once_although_the_next_look_is_far(
    office: Office, receiver: Receiver, resources: Resources
) -> None:
    await office.hook(receiver.url)
    async with dispatching(resources, poll_interval=NEVER) as worker:
        worker._news.pause = timedelta(0)  # its making has just been a reason to look
        await listening(resources)
        await until(lambda: worker.idle)
        await office.happen("document.created")
        await until(lambda: len(receiver.arrived) == 1)


async def test_what_was_not_heard_is_found_all_the_same(
    office: Office, receiver: Receiver, resources: Resources
) -> None:
    await office.hook(receiver.url)
    async with dispatching(replace(resources, newswire=Deaf())):
        await office.happen("document.created")
        await until(lambda: len(receiver.arrived) == 1)


async def test_news_of_one_project_is_no_reason_to_look_at_others(
    open_office: OpenOffice, receiver: Receiver, resources: Resources
) -> None:
    loud, other = await open_office(), await open_office()
    hook = await loud.hook(receiver.url)
    await other.hook(receiver.url)
    given = {"worker": uuid4(), "most": 10, "lease": timedelta(seconds=30)}
    async with resources.sessions.begin() as session:
        once = [(loud.owner.id, loud.project, hook.id)]
        for projects, claimed in (([], []), ([loud.project, uuid4()], once), ([loud.project], [])):
            found = await session.execute(CLAIM_OF, {**given, "projects": projects})
            assert [tuple(row) for row in found] == claimed


async def test_a_project_is_a_reason_to_look_once_in_a_while_however_much_happens() -> None:
    wake, project, other = asyncio.Event(), uuid4(), uuid4()
    news = FreshNews(timedelta(seconds=0.1), wake)
    news.hear({project})
    assert wake.is_set()
    assert news.take() == [project]
    wake.clear()
    news.hear({project})
    assert not wake.is_set()
    news.hear({project, other})
    assert news.take() == [other]
    await asyncio.sleep(0.1)
    news.hear({project})
    assert news.take() == [project]


async def test_no_flood_of_projects_makes_it_remember_without_end() -> None:
    news = FreshNews(NEVER, asyncio.Event())
    news.hear([uuid4() for _ in range(3 * MOST)])
    assert len(news.take()) == MOST
    assert news.take() == []


async def test_every_follower_is_told_which_projects_have_news(resources: Resources) -> None:
    """Of none when it begins to hear; and of nothing, where a message is none of ours. Other tests have news too."""
    told: list[Collection[UUID]] = []
    both = {uuid4(), uuid4()}

    def hear(projects: Collection[UUID]) -> None:
        if not projects or both.intersection(projects):
            told.append(both.intersection(projects))

    with resources.newswire.followed_by(hear), resources.newswire.followed_by(lambda _: None):
        await until(lambda: told == [set()])
        for message in (b"short", b"x" * 16 * (MOST + 1), headlines(both)):
            await resources.cache.publish(NEWS, message)
        await until(lambda: len(told) > 1)
    assert told == [set(), both]


async def test_a_worker_that_is_told_to_stop_does_not_wait_for_the_next_look(resources: Resources) -> None:
    async with asyncio.timeout(60), dispatching(resources, poll_interval=NEVER):
        await listening(resources)


async def test_a_worker_that_stops_leaves_an_attempt_that_takes_long_to_the_next(
    office: Office, receiver: Receiver, resources: Resources, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(stopping, "GRACE_SECONDS", 0.0)

    over = asyncio.Event()

    async def hang(_: Arrived) -> bytes:
        await over.wait()
        return status(204)

    async def succeeded() -> bool:
        return await office.statuses(hook) == ["succeeded"]

    receiver.answer = hang
    hook = await office.hook(receiver.url)
    await office.happen("document.created")
    async with asyncio.timeout(60), dispatching(resources, timeout=NEVER):
        await until(lambda: len(receiver.arrived) == 1)
    over.set()
    async with dispatching(resources):
        await until(succeeded)
    assert len({each.id for each in receiver.arrived}) == 1, "it came twice, under the same id"
