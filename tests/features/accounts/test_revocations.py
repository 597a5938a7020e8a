"""A revocation in one process takes effect in another: at once by message, within seconds by polling."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from contextlib import AsyncExitStack
from dataclasses import dataclass
from datetime import timedelta
from uuid import UUID

import pytest
from asgi_lifespan import LifespanManager
from httpx2 import ASGITransport, AsyncClient

from partywall.core.db.engine import create_engine, server_settings
from partywall.core.db.scoped_access import ScopedReader
from partywall.core.db.session import Sessions
from partywall.core.events.subscription import EndReason, StreamOptions, Subscription
from partywall.core.resources import Resources
from partywall.core.security import credential_cache, credential_watch
from partywall.core.security.revocations import Revocation, Revoked, announce, drop_tickets
from partywall.features.accounts import operations
from partywall.main import create_app
from partywall.settings import Settings
from partywall.testing.engines import Urls, new_database
from tests.features.accounts.conftest import SESSIONS, Login, Visitor, bearer, new_address
from tests.features.accounts.test_limits import NOWHERE

HOUR = timedelta(hours=1)


@dataclass(frozen=True, slots=True)
class Two:
    """Two processes on one database, and a user who is logged in at both."""

    here: Visitor
    there: Visitor
    login: Login
    resources: Resources
    owner: Sessions

    async def project(self) -> UUID:
        answer = await self.here.client.post(
            "/api/v1/projects", json={"name": "One"}, headers=bearer(self.login.access)
        )
        return UUID(answer.json()["id"])

    async def follow(self, project: UUID) -> Subscription:
        """A subscription in the other process, opened with the login."""
        verified = await self.resources.access_tokens.verify(self.login.access)
        terms = StreamOptions(lambda _: None, verified.expires_at, HOUR, verified.session_id)
        return await self.resources.tailers.follow(
            ScopedReader(self.resources.reads, verified.principal), project, terms
        )

    async def rotate(self) -> None:
        await operations.rotate_keys(
            self.owner, self.resources.secrets, access_token_ttl=timedelta(minutes=15), at_once=True
        )

    async def until_refused(self, visitor: Visitor) -> None:
        async with asyncio.timeout(60):
            while (await visitor.me(self.login.access)).status_code != 401:
                await asyncio.sleep(0.01)


@pytest.fixture
async def two(request: pytest.FixtureRequest, engines: Urls, settings: Settings) -> AsyncIterator[Two]:
    database = await new_database(engines, "revocations")
    changed = settings.model_dump()
    changed["database"] |= {"url": database.runtime, "owner_url": database.owner}
    if "no_cache" in request.fixturenames:
        changed["cache"]["url"] = NOWHERE
    email = new_address()
    async with AsyncExitStack() as stack:
        visitors, apps = [], [create_app(Settings.model_validate(changed)) for _ in range(2)]
        for app in apps:
            await stack.enter_async_context(LifespanManager(app, startup_timeout=60, shutdown_timeout=60))
            client = AsyncClient(transport=ASGITransport(app), base_url="http://test")
            visitors.append(Visitor(await stack.enter_async_context(client), email))
        here, there = visitors
        await here.register()
        login = await here.log_in()
        for visitor in visitors:
            assert (await visitor.me(login.access)).status_code == 200
        engine = create_engine(database.owner, pool_size=1, overflow=0, settings=server_settings("t", 15_000))
        stack.push_async_callback(engine.dispose)
        yield Two(here, there, login, apps[1].state.resources, Sessions(engine))


@pytest.fixture
def only_notified(monkeypatch: pytest.MonkeyPatch) -> None:
    """Disables polling: revocations arrive only as messages."""
    monkeypatch.setattr(credential_cache, "RECHECK_SECONDS", 3600.0)
    monkeypatch.setattr(credential_watch, "LOOK_SECONDS", 3600.0)


@pytest.fixture
def no_cache(monkeypatch: pytest.MonkeyPatch) -> None:
    """Without the cache there are no messages; the four-second poll runs more often."""
    monkeypatch.setattr(credential_cache, "RECHECK_SECONDS", 3600.0)
    monkeypatch.setattr(credential_watch, "LOOK_SECONDS", 0.05)


@pytest.mark.usefixtures("only_notified")
async def test_a_leaked_keys_tokens_streams_and_tickets_die_everywhere_at_once(two: Two) -> None:
    project = await two.project()
    subscription = await two.follow(project)
    events = f"/api/v1/projects/{project}/events"
    ticket = (await two.here.client.post(f"{events}/ticket", headers=bearer(two.login.access))).json()["ticket"]
    await two.rotate()
    assert await announce(two.resources.cache, Revocation(Revoked.SIGNING_KEYS))
    assert await drop_tickets(two.resources.cache)
    await two.until_refused(two.here)
    await two.until_refused(two.there)
    assert two.resources.authenticator.cached(two.login.access) is None
    assert subscription.ended is EndReason.EXPIRED
    assert (await two.there.client.get(f"{events}?ticket={ticket}")).status_code == 401
    refreshed = await two.there.refresh(two.login.refresh)
    for visitor in (two.here, two.there):
        assert (await visitor.me(refreshed.json()["access_token"])).status_code == 200


@pytest.mark.usefixtures("no_cache")
async def test_without_the_cache_tokens_of_a_leaked_key_end_at_the_next_key_poll(two: Two) -> None:
    subscription = await two.follow(await two.project())
    await two.rotate()
    await two.until_refused(two.here)
    await two.until_refused(two.there)
    assert subscription.ended is EndReason.EXPIRED


@pytest.mark.usefixtures("only_notified")
async def test_a_key_that_is_rotated_in_routine_ends_nothing(two: Two) -> None:
    subscription = await two.follow(await two.project())
    await operations.rotate_keys(two.owner, two.resources.secrets, access_token_ttl=timedelta(minutes=15))
    await two.resources.access_tokens._keys.refresh()
    assert (await two.there.me(two.login.access)).status_code == 200
    assert subscription.ended is None
    subscription.close()


@pytest.mark.usefixtures("only_notified")
async def test_a_session_that_is_revoked_here_ends_there(two: Two) -> None:
    subscription = await two.follow(await two.project())
    waiting = asyncio.create_task(subscription.frames())
    other = await two.here.log_in()
    [own] = [
        each["id"]
        for each in (await two.here.client.get(SESSIONS, headers=bearer(two.login.access))).json()["items"]
        if each["current"]
    ]
    await two.here.client.delete(f"{SESSIONS}/{own}", headers=bearer(other.access))
    await two.until_refused(two.there)
    assert await asyncio.wait_for(waiting, 60) is None
    assert subscription.ended is EndReason.REVOKED
    assert (await two.there.me(other.access)).status_code == 200


@pytest.mark.usefixtures("only_notified")
async def test_an_account_that_is_disabled_is_out_everywhere(two: Two) -> None:
    account = await operations.disable_user(two.owner, two.here.email)
    await announce(two.resources.cache, Revocation(Revoked.ACCOUNT, account))
    await two.until_refused(two.there)


@pytest.mark.usefixtures("only_notified")
async def test_a_projects_key_that_is_revoked_here_ends_there(two: Two) -> None:
    keys = f"/api/v1/projects/{await two.project()}/api-keys"
    headers = bearer(two.login.access)
    made = (await two.here.client.post(keys, json={"name": "k", "role": "viewer"}, headers=headers)).json()
    secret = made["secret"]
    await two.resources.api_keys.authenticate(secret)
    assert two.resources.api_keys.cached(secret) is not None
    assert (await two.here.client.delete(f"{keys}/{made['id']}", headers=headers)).status_code == 204
    async with asyncio.timeout(60):
        while two.resources.api_keys.cached(secret) is not None:
            await asyncio.sleep(0.01)


async def test_invalid_messages_are_ignored(resources: Resources) -> None:
    for message in (b"session", b"session x", b"\xff\xfe", b"nonsense 1", b"session " + b"1" * 10_000):
        read = Revocation.read(message)
        assert read is None or read.id is None
