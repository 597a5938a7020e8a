from __future__ import annotations

import asyncio
import random
from datetime import timedelta
from uuid import UUID, uuid4

import pytest

from partywall.core.clock import unix_time
from partywall.core.events.retention import prune
from partywall.core.resources import Resources
from partywall.core.security.keys import SIGNING_KEYS, KeyRing
from partywall.core.security.tokens import AccessTokens
from partywall.resources import ISSUER
from partywall.settings import Settings
from partywall.testing.conditions import until
from partywall.testing.users import Person, Users
from tests.features.live.event_writer import write
from tests.features.live.server import Serving, serve
from tests.features.live.sse import Stream, follow

WRITERS = 2
EACH = 200


async def ends(stream: Stream, within: float = 60.0) -> list[str]:
    """The types of the remaining events until the server ends the stream."""
    async with asyncio.timeout(within):
        return [event.event for event in await stream.rest()]


async def test_a_reader_that_comes_and_goes_gets_everything_once_and_in_order(
    users: Users, server: Serving, polling: Serving, resources: Resources
) -> None:
    """Two writers, and a reader that disconnects at random and resumes at another process."""
    owner = await users.person()
    project = await owner.project()
    chance = random.Random(7)
    seen: list[int] = []
    names: list[str] = []

    async def writer(name: str) -> None:
        left = EACH
        while left:
            size = min(left, chance.choice([1, 1, 1, 2, 9]))
            await write(resources, owner, project, *(f"{name}{left - part}" for part in range(size)))
            left -= size

    async def reader() -> None:
        total = 1 + WRITERS * EACH
        while len(seen) < total:
            url = chance.choice([server, polling]).url
            async with follow(url, project, owner.token, last_event_id=seen[-1] if seen else 0) as stream:
                for event in await stream.take(min(total - len(seen), chance.randint(1, 40))):
                    seen.append(event.id)
                    names.append(str(event.data["data"].get("name")))

    async with asyncio.timeout(60), asyncio.TaskGroup() as group:
        group.create_task(reader())
        for name in "ab"[:WRITERS]:
            group.create_task(writer(name))
    assert seen == list(range(1, 2 + WRITERS * EACH))
    for name in "ab":
        assert [each for each in names if each.startswith(name)] == [f"{name}{left}" for left in range(EACH, 0, -1)]


async def test_events_arrive_at_once_at_every_reader_of_the_one_tailer(
    users: Users, server: Serving, resources: Resources
) -> None:
    owner, member = await users.person(), await users.person()
    project = await owner.project()
    await users.join(project, member, "viewer")
    await until(lambda: server.resources.tailers.followed == 0)  # streams of other tests have ended
    async with (
        follow(server.url, project, owner.token) as one,
        follow(server.url, project, member.token, after=0) as other,
    ):
        assert (await other.next()).id == 1
        await write(resources, owner, project, "a")
        assert (await one.next()).id == (await other.next()).id == 2
        await write(resources, owner, project, "b")
        async with asyncio.timeout(60):
            assert (await one.next()).id == (await other.next()).id == 3
        assert server.resources.tailers.followed == 1
        assert await resources.cache.pubsub_numsub(f"proj:{project}:events") == [(f"proj:{project}:events".encode(), 1)]
    await until(lambda: server.resources.tailers.followed == 0)


async def test_a_removed_member_gets_no_more_events(users: Users, server: Serving, resources: Resources) -> None:
    """Even on a busy stream: the next batch checks access first."""
    owner, member = await users.person(), await users.person()
    project = await owner.project()
    await users.join(project, member, "viewer")
    async with (
        follow(server.url, project, owner.token) as kept,
        follow(server.url, project, member.token) as lost,
    ):
        await write(resources, owner, project, "before")
        assert (await lost.next()).id == (await kept.next()).id == 2
        await users.execute("DELETE FROM project_member WHERE account_id = $1", member.id)
        await write(resources, owner, project, "secret")
        assert await ends(lost) == []
        assert (await kept.next()).id == 3


@pytest.mark.parametrize(
    "act",
    [
        "DELETE FROM project_member WHERE account_id = $1",
        "UPDATE account SET disabled_at = now() WHERE id = $1",
        "DELETE FROM project WHERE id IN (SELECT project_id FROM project_member WHERE account_id = $1)",
    ],
)
async def test_an_idle_stream_ends_when_the_right_is_lost(users: Users, polling: Serving, act: str) -> None:
    owner, other = await users.person(), await users.person()
    project = await owner.project()
    await users.join(project, other, "owner")
    async with follow(polling.url, project, owner.token, after=0) as stream:
        assert (await stream.next()).event == "project.created"
        await users.execute(act, owner.id)
        assert await ends(stream) == []


async def test_a_stream_ends_when_the_role_changes_and_may_be_opened_anew(users: Users, polling: Serving) -> None:
    owner, reader = await users.person(), await users.person()
    project = await owner.project()
    await users.join(project, reader, "editor")
    async with follow(polling.url, project, reader.token, after=0) as stream:
        assert (await stream.next()).event == "project.created"
        await users.execute("UPDATE project_member SET role = 'viewer' WHERE account_id = $1", reader.id)
        assert await ends(stream) == ["reconnect"]
    async with follow(polling.url, project, reader.token, after=0) as again:
        assert (await again.next()).event == "project.created"


async def test_a_stream_ends_at_once_when_its_project_is_deleted(users: Users, server: Serving) -> None:
    owner = await users.person()
    project = await owner.project()
    async with follow(server.url, project, owner.token, after=0) as stream:
        assert (await stream.next()).id == 1
        assert (await owner.client.delete(f"/api/v1/projects/{project}")).status_code == 204
        assert await ends(stream) == []


async def test_a_stream_ends_when_its_session_is_revoked(users: Users, polling: Serving, resources: Resources) -> None:
    owner = await users.person()
    project = await owner.project()
    sessions = uuid4(), uuid4()
    for session in sessions:
        await users.execute(
            "INSERT INTO session (id, account_id, expires_at) VALUES ($1, $2, now() + interval '1 day')",
            session,
            owner.id,
        )
    tokens = [(await resources.access_tokens.issue(owner.id, session)).token for session in sessions]
    async with follow(polling.url, project, tokens[0]) as one, follow(polling.url, project, tokens[1]) as other:
        await users.execute("UPDATE session SET revoked_at = now() WHERE id = $1", sessions[0])
        assert await ends(one) == []
        await write(resources, owner, project, "still here")
        assert (await other.next()).id == 2


async def short_token(resources: Resources, person: Person, seconds: int) -> str:
    async def is_not_revoked(_: UUID, __: UUID) -> bool:
        return True

    keys = KeyRing(resources.sessions, resources.secrets.box(SIGNING_KEYS))
    tokens = AccessTokens(keys, ISSUER, timedelta(seconds=seconds), is_not_revoked)
    return (await tokens.issue(person.id, uuid4())).token


def a_minute_later(monkeypatch: pytest.MonkeyPatch) -> None:
    """Moves the clock of every subscription forward."""
    monkeypatch.setattr("partywall.core.events.subscription.unix_time", lambda: unix_time() + 60)


async def test_a_stream_ends_with_its_credential_and_says_where_to_resume(
    users: Users, server: Serving, resources: Resources, monkeypatch: pytest.MonkeyPatch
) -> None:
    owner = await users.person()
    project = await owner.project()
    token = await short_token(resources, owner, 60)
    async with follow(server.url, project, token, after=0) as stream:
        assert (await stream.next()).id == 1
        await write(resources, owner, project, "a")
        assert (await stream.next()).id == 2
        a_minute_later(monkeypatch)
        async with asyncio.timeout(60):
            [last] = await stream.rest()
    assert (last.event, last.id, last.data["data"]) == ("reconnect", 2, {"reason": "credential_expired"})
    async with follow(server.url, project, await short_token(resources, owner, -1), last_event_id=2) as stream:
        assert stream.response.status_code == 401


async def test_a_position_that_is_no_longer_kept_is_reset(users: Users, server: Serving, resources: Resources) -> None:
    owner = await users.person()
    project = await owner.project()
    await write(resources, owner, project, *"abcde")
    await users.execute("UPDATE event SET at = now() - interval '3 days' WHERE project_id = $1 AND id <= 4", project)
    await prune(resources.sessions, timedelta(days=2))
    async with follow(server.url, project, owner.token, last_event_id=2) as stream:
        reset, five, six = await stream.take(3)
        assert (reset.event, reset.id, reset.data["data"]) == ("reset", 4, {"asked": 2, "oldest": 5})
        assert [five.id, six.id] == [5, 6]
    async with follow(server.url, project, owner.token, last_event_id=4, types="run.*") as stream:
        await write(resources, owner, project, "run", type_="run.started")
        assert (await stream.next()).id == 7
    async with follow(server.url, project, owner.token, last_event_id=1, types="run.*") as stream:
        assert [(each.event, each.id) for each in await stream.take(2)] == [("reset", 4), ("run.started", 7)]


async def test_a_long_history_is_caught_up_before_the_tailer(
    users: Users, server: Serving, resources: Resources
) -> None:
    owner = await users.person()
    project = await owner.project()
    for _ in range(3):
        await write(resources, owner, project, *(str(number) for number in range(450)))
    async with follow(server.url, project, owner.token, after=0) as stream:
        first = [event.id for event in await stream.take(700)]
        await write(resources, owner, project, "meanwhile")
        assert first + [event.id for event in await stream.take(652)] == list(range(1, 1353))


async def test_a_server_that_drains_says_so_and_stops(
    users: Users, live_settings: Settings, resources: Resources
) -> None:
    owner = await users.person()
    project = await owner.project()
    async with serve(live_settings) as going, follow(going.url, project, owner.token, after=0) as stream:
        assert (await stream.next()).id == 1
        await write(resources, owner, project, "a")
        assert (await stream.next()).id == 2
        stopping = asyncio.create_task(going.stop())
        [last] = await stream.rest()
        await stopping
    assert (last.event, last.id, last.data["data"]) == ("reconnect", 2, {"reason": "server_draining"})
