"""Streams and tickets after the end of their session, account or token."""

from __future__ import annotations

from datetime import timedelta
from uuid import UUID, uuid4

import pytest

from partywall.core.clock import unix_time
from partywall.core.db.scoped_access import ScopedReader
from partywall.core.events.batches import BATCH
from partywall.core.events.subscription import StreamOptions
from partywall.core.resources import Resources
from partywall.testing.users import Person, Users
from tests.features.live.event_writer import write
from tests.features.live.server import Serving
from tests.features.live.sse import follow
from tests.features.live.test_streams import short_token


async def new_session(users: Users, person: Person) -> UUID:
    session = uuid4()
    await users.execute(
        "INSERT INTO session (id, account_id, expires_at) VALUES ($1, $2, now() + interval '1 day')", session, person.id
    )
    return session


async def revoke(users: Users, session: UUID) -> None:
    """Revokes like another process, without a message to this one."""
    await users.execute("UPDATE session SET revoked_at = now() WHERE id = $1", session)


async def ticket_for(person: Person, project: UUID, token: str) -> str:
    headers = {"Authorization": f"Bearer {token}"}
    answer = await person.client.post(f"/api/v1/projects/{project}/events/ticket", headers=headers)
    assert answer.status_code == 200, answer.text
    return str(answer.json()["ticket"])


async def test_a_ticket_ends_with_its_session_and_with_no_other(
    users: Users, server: Serving, resources: Resources
) -> None:
    owner = await users.person()
    project = await owner.project()
    ended, kept = await new_session(users, owner), await new_session(users, owner)
    tokens = [(await resources.access_tokens.issue(owner.id, session)).token for session in (ended, kept)]
    tickets = [await ticket_for(owner, project, token) for token in tokens]
    await revoke(users, ended)
    async with follow(server.url, project, ticket=tickets[0], after=0) as stream:
        assert stream.response.status_code == 401
        assert "project.created" not in stream.response.text
    async with follow(server.url, project, ticket=tickets[1], after=0) as stream:
        assert (await stream.next()).event == "project.created"


async def test_a_revoked_session_opens_no_stream_where_its_token_is_still_believed(
    users: Users, server: Serving, resources: Resources
) -> None:
    owner = await users.person()
    project = await owner.project()
    session = await new_session(users, owner)
    token = (await resources.access_tokens.issue(owner.id, session)).token
    async with follow(server.url, project, token, after=0) as stream:
        assert (await stream.next()).event == "project.created"
    await revoke(users, session)
    assert server.resources.authenticator.cached(token) == owner.principal
    async with follow(server.url, project, token, after=0) as stream:
        assert stream.response.status_code == 401


async def test_a_ticket_of_a_disabled_account_opens_nothing(users: Users, server: Serving) -> None:
    owner = await users.person()
    project = await owner.project()
    ticket = await ticket_for(owner, project, owner.token)
    await users.execute("UPDATE account SET disabled_at = now() WHERE id = $1", owner.id)
    async with follow(server.url, project, ticket=ticket, after=0) as stream:
        assert stream.response.status_code == 404
        assert "project.created" not in stream.response.text


async def test_a_ticket_of_an_expired_token_opens_nothing(
    users: Users, server: Serving, resources: Resources, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The ticket itself would expire later."""
    owner = await users.person()
    project = await owner.project()
    ticket = await ticket_for(owner, project, await short_token(resources, owner, 60))
    monkeypatch.setattr("partywall.features.live.tickets.unix_time", lambda: unix_time() + 60)
    async with follow(server.url, project, ticket=ticket, after=0) as stream:
        assert stream.response.status_code == 401


async def test_a_subscription_that_is_still_catching_up_ends_with_its_session(
    users: Users, resources: Resources
) -> None:
    """Each batch from the table checks the session, as the tailer does."""
    owner = await users.person()
    project = await owner.project()
    await write(resources, owner, project, *(f"before {number}" for number in range(2 * BATCH)))
    session = await new_session(users, owner)
    terms = StreamOptions(lambda _: None, unix_time() + 60, timedelta(seconds=5), session)
    subscription = await resources.tailers.follow(
        ScopedReader(resources.reads, owner.principal), project, terms, after=0
    )
    try:
        chunk = await subscription.next()
        assert chunk is not None
        assert chunk.count(b"\nevent: ") == BATCH
        await revoke(users, session)
        assert await subscription.next() is None
    finally:
        subscription.close()
