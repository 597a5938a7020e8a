"""Tickets and catching-up streams of a session that is revoked later."""

from __future__ import annotations

import asyncio
from datetime import timedelta
from uuid import UUID, uuid4

from httpx2 import AsyncClient

from partywall.core.db.scopes import open_scope
from partywall.core.errors import NotAuthenticatedError
from partywall.core.events.batches import BATCH
from partywall.core.events.subscription import Subscription
from partywall.core.resources import Resources
from partywall.core.security.authentication import VerifiedCredential
from partywall.core.security.revocation_check import RevocationCheck
from partywall.features.live.service import LiveService
from partywall.features.live.tickets import PURPOSE, Tickets
from partywall.testing.isolation.users import bearer, log_in
from partywall.testing.users import Person, Users
from tests.features.live.event_writer import write


async def outlived(users: Users, resources: Resources) -> list[str]:
    """What still reads a project's log after its session was revoked; the user stays a member."""
    person = await users.person()
    project = await person.project()
    await write(resources, person, project, *(f"amber {number}" for number in range(2 * BATCH)))
    credential = await _in_a_new_session(users, resources, person)
    tickets = Tickets(resources.cache, timedelta(seconds=30), resources.secrets.signer(PURPOSE))
    async with resources.sessions.read() as session:
        scope = await open_scope(session, person.principal, project)
    ticket = await tickets.issue(scope, credential)
    begun = await _follow(resources, credential, project)
    assert b"amber" in (await begun.next() or b"")
    await users.execute("UPDATE session SET revoked_at = now() WHERE id = $1", credential.session_id)
    found = ["a stream that was catching up"] if await _reads(begun) else []
    try:
        opened = await _follow(resources, await tickets.redeem(ticket, project), project)
    except NotAuthenticatedError:
        return found
    return [*found, "a ticket"] if await _reads(opened) else found


async def _in_a_new_session(users: Users, resources: Resources, person: Person) -> VerifiedCredential:
    session = uuid4()
    await users.execute(
        "INSERT INTO session (id, account_id, expires_at) VALUES ($1, $2, now() + interval '1 day')", session, person.id
    )
    return await resources.authenticator.verify((await resources.access_tokens.issue(person.id, session)).token)


async def _follow(resources: Resources, credential: VerifiedCredential, project: UUID) -> Subscription:
    beat, revocation_check = timedelta(seconds=5), RevocationCheck(resources.sessions)
    live = LiveService(resources.reads, resources.tailers, beat, beat.total_seconds(), revocation_check)
    return await live.follow(credential, project, 0, None)


async def _reads(feed: Subscription) -> bool:
    try:
        async with asyncio.timeout(60):
            return b"amber" in (await feed.next() or b"")
    finally:
        feed.close()


async def test_nothing_of_a_revoked_session_reads_on(users: Users, resources: Resources) -> None:
    assert await outlived(users, resources) == []


async def test_a_ticket_bought_before_the_logout_is_refused_after_it(anonymous: AsyncClient) -> None:
    email, password = f"{uuid4().hex}@example.com", f"a sentence that nobody has guessed: {uuid4()}"
    asked = {"email": email, "password": password, "full_name": "Ada"}
    (await anonymous.post("/api/v1/auth/register", json=asked)).raise_for_status()
    account = await log_in(anonymous, email, password)
    made = await anonymous.post("/api/v1/projects", json={"name": "amber"}, headers=bearer(account.token))
    events = f"{made.raise_for_status().headers['location']}/events"
    bought = await anonymous.post(f"{events}/ticket", headers=bearer(account.token))
    (await anonymous.post("/api/v1/auth/revoke", data={"token": account.refresh_token})).raise_for_status()
    async with asyncio.timeout(60):
        shown = await anonymous.get(events, params={"ticket": bought.raise_for_status().json()["ticket"], "after": 0})
    assert (shown.status_code, "amber" in shown.text) == (401, False)
