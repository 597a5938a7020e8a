from __future__ import annotations

import asyncio
import hmac
import shutil
import tempfile
from collections.abc import AsyncIterator
from datetime import timedelta
from pathlib import Path
from uuid import UUID

import orjson
import pytest
from httpx2 import ASGITransport, AsyncClient
from redis.asyncio import Redis

from partywall.adapters.embedded import EmbeddedValkey
from partywall.core import cache_keys
from partywall.core.caches import create_cache
from partywall.core.clock import unix_time
from partywall.core.db.scoped_access import ScopedReader
from partywall.core.db.scopes import open_scope
from partywall.core.errors import NotAuthenticatedError
from partywall.core.idempotency.claims import claim
from partywall.core.resources import Resources
from partywall.core.security.attempts import AttemptLimiter
from partywall.core.security.authentication import VerifiedCredential
from partywall.core.security.opaque_tokens import token_hash
from partywall.core.storage_errors import is_full
from partywall.core.tenancy import Principal
from partywall.features.live.exceptions import TicketsUnavailableError
from partywall.features.live.tickets import PURPOSE, Tickets
from partywall.settings import CacheSettings, Settings
from partywall.testing.users import Person, Users
from tests.features.live.event_writer import write
from tests.features.live.server import Serving, serve
from tests.features.live.sse import follow
from tests.features.live.test_streams import a_minute_later, ends, short_token


async def test_a_ticket_opens_one_stream_of_its_project(users: Users, server: Serving, resources: Resources) -> None:
    owner = await users.person()
    project, another = await owner.project(), await owner.project()
    answer = await owner.client.post(f"/api/v1/projects/{project}/events/ticket")
    assert answer.status_code == 200
    assert answer.headers["cache-control"] == "no-store"
    assert answer.json().keys() == {"ticket", "expires_in"}
    assert answer.json()["expires_in"] == 30
    ticket = answer.json()["ticket"]
    async with follow(server.url, project, ticket=ticket, after=0) as stream:
        assert stream.response.status_code == 200
        assert (await stream.next()).id == 1
        async with follow(server.url, project, ticket=ticket) as again:
            assert again.response.status_code == 401
        await write(resources, owner, project, "live")
        assert (await stream.next()).id == 2
    ticket = (await owner.client.post(f"/api/v1/projects/{project}/events/ticket")).json()["ticket"]
    async with follow(server.url, another, ticket=ticket) as elsewhere:
        assert elsewhere.response.status_code == 401
    async with follow(server.url, project, ticket=ticket) as spent:
        assert spent.response.status_code == 401


async def test_a_ticket_is_used_once_even_by_two_clients_at_once(users: Users, server: Serving) -> None:
    owner = await users.person()
    project = await owner.project()
    ticket = (await owner.client.post(f"/api/v1/projects/{project}/events/ticket")).json()["ticket"]

    async def attempt() -> int:
        async with follow(server.url, project, ticket=ticket) as stream:
            return stream.response.status_code

    assert sorted(await asyncio.gather(*(attempt() for _ in range(5)))) == [200, 401, 401, 401, 401]


async def test_a_ticket_expires(
    users: Users, resources: Resources, server: Serving, monkeypatch: pytest.MonkeyPatch
) -> None:
    owner = await users.person()
    project = await owner.project()
    verified = await resources.access_tokens.verify(owner.token)
    tickets = Tickets(resources.cache, timedelta(seconds=30), resources.secrets.signer(PURPOSE))
    scope = await ScopedReader(resources.reads, owner.principal).scope(project)
    ticket = await tickets.issue(scope, verified)
    assert 0 < await resources.cache.ttl(cache_keys.ticket(ticket)) <= 30
    monkeypatch.setattr("partywall.features.live.tickets.unix_time", lambda: unix_time() + 30)
    async with follow(server.url, project, ticket=ticket) as stream:
        assert stream.response.status_code == 401


async def test_a_ticket_expires_with_its_token(
    users: Users, server: Serving, resources: Resources, monkeypatch: pytest.MonkeyPatch
) -> None:
    owner = await users.person()
    project = await owner.project()
    token = await short_token(resources, owner, 60)
    headers = {"Authorization": f"Bearer {token}"}
    answer = await owner.client.post(f"/api/v1/projects/{project}/events/ticket", headers=headers)
    async with follow(server.url, project, ticket=answer.json()["ticket"]) as stream:
        a_minute_later(monkeypatch)
        assert await ends(stream) == ["reconnect"]


async def test_a_ticket_ends_with_the_membership(users: Users, server: Serving) -> None:
    owner, member = await users.person(), await users.person()
    project = await owner.project()
    await users.join(project, member, "viewer")
    ticket = (await member.client.post(f"/api/v1/projects/{project}/events/ticket")).json()["ticket"]
    await users.execute("DELETE FROM project_member WHERE account_id = $1", member.id)
    async with follow(server.url, project, ticket=ticket) as stream:
        assert stream.response.status_code == 404


async def test_the_cache_holds_no_ticket_that_could_be_used(users: Users, resources: Resources) -> None:
    owner = await users.person()
    project = await owner.project()
    ticket = (await owner.client.post(f"/api/v1/projects/{project}/events/ticket")).json()["ticket"]
    stored = b" ".join([key async for key in resources.cache.scan_iter("ticket:*")])
    assert stored
    assert ticket.encode() not in stored


async def test_without_a_cache_streams_work_and_tickets_do_not(
    users: Users, live_settings: Settings, resources: Resources
) -> None:
    owner = await users.person()
    project = await owner.project()
    nowhere = CacheSettings.model_validate({"engine": "server", "url": "redis://127.0.0.1:1/0"})
    events = live_settings.events.model_copy(update={"poll_interval": timedelta(milliseconds=200)})
    async with serve(live_settings.model_copy(update={"cache": nowhere, "events": events})) as alone:
        transport = ASGITransport(alone.app)
        headers = {"Authorization": f"Bearer {owner.token}"}
        async with AsyncClient(transport=transport, base_url="http://test", headers=headers) as client:
            answer = await client.post(f"/api/v1/projects/{project}/events/ticket")
            assert (answer.status_code, answer.json()["code"]) == (503, "tickets_unavailable")
        async with follow(alone.url, project, ticket="any") as refused:
            assert refused.response.status_code == 503
        async with follow(alone.url, project, owner.token) as stream:
            await write(alone.resources, owner, project, "polled")
            assert (await stream.next()).id == 2


async def issued(users: Users, server: Serving) -> tuple[Person, UUID, str, str]:
    """The owner, the project, a ticket and its key in the cache."""
    owner = await users.person()
    project = await owner.project()
    ticket = str((await owner.client.post(f"/api/v1/projects/{project}/events/ticket")).json()["ticket"])
    return owner, project, ticket, cache_keys.ticket(ticket)


async def stored(resources: Resources, key: str) -> bytes:
    value = await resources.cache.get(key)
    assert isinstance(value, bytes)
    return value


async def status_of(server: Serving, project: UUID, ticket: str) -> int:
    async with follow(server.url, project, ticket=ticket) as stream:
        return stream.response.status_code


async def test_a_value_written_to_the_cache_is_no_ticket(users: Users, server: Serving, resources: Resources) -> None:
    """Former formats for a service and a user, garbage, and another value type."""
    owner, project, ticket, key = await issued(users, server)
    kept = await stored(resources, key)
    later = unix_time() + 1000
    said = [
        orjson.dumps([str(project), f"service:{project}", None, later]),
        orjson.dumps([str(project), str(owner.principal), None, later]),
        orjson.dumps([str(project), f"service:{project}", None, later, later]),
        b"", b"x", b"\xff" * 40, b"x" * 2_000_000, kept[:32] + orjson.dumps([1]),
    ]  # fmt: skip
    for value in (
        *said,
        *(b"\0" * 32 + each for each in said),
        *(hmac.digest(b"", each, "sha256") + each for each in said),
    ):
        await resources.cache.set(key, value)
        assert await status_of(server, project, ticket) == 401, value[:80]
        assert not await resources.cache.exists(key)
    await resources.cache.lpush(key, "a list")
    assert await status_of(server, project, ticket) == 401


async def test_what_the_cache_holds_is_bound_to_its_ticket(users: Users, server: Serving, resources: Resources) -> None:
    """A value that was changed, or moved to another key, opens nothing."""
    _, project, ticket, key = await issued(users, server)
    other, theirs, own, own_key = await issued(users, server)
    await resources.cache.rename(key, own_key)
    assert await status_of(server, project, own) == 401
    assert await status_of(server, project, ticket) == 401
    own = str((await other.client.post(f"/api/v1/projects/{theirs}/events/ticket")).json()["ticket"])
    kept = await stored(resources, cache_keys.ticket(own))
    await resources.cache.set(cache_keys.ticket(own), kept.replace(str(theirs).encode(), str(project).encode()))
    assert await status_of(server, project, own) == 401


async def test_an_expired_ticket_is_refused_even_if_the_cache_keeps_it(
    users: Users, server: Serving, resources: Resources, monkeypatch: pytest.MonkeyPatch
) -> None:
    _, project, ticket, key = await issued(users, server)
    await resources.cache.persist(key)
    monkeypatch.setattr("partywall.features.live.tickets.unix_time", lambda: unix_time() + 31)
    assert await status_of(server, project, ticket) == 401


async def test_a_service_gets_no_ticket(users: Users, resources: Resources) -> None:
    owner = await users.person()
    project = await owner.project()
    tickets = Tickets(resources.cache, timedelta(seconds=30), resources.secrets.signer(PURPOSE))
    service = VerifiedCredential(Principal.service(project), unix_time() + 60)
    async with resources.sessions.read() as session:
        scope = await open_scope(session, service.principal, project)
    with pytest.raises(NotAuthenticatedError):
        await tickets.issue(scope, service)
    said = orjson.dumps([str(project), str(service.principal), None, unix_time() + 60, unix_time() + 60])
    value = tickets.signer.sign(token_hash("signed") + said) + said
    await resources.cache.set(cache_keys.ticket("signed"), value)
    with pytest.raises(NotAuthenticatedError):
        await tickets.redeem("signed", project)


@pytest.fixture
async def separate_cache() -> AsyncIterator[Redis]:
    """A separate Valkey, because the test changes its configuration."""
    directory = Path(tempfile.mkdtemp(prefix="pw-test-"))
    directory.chmod(0o711)
    valkey = EmbeddedValkey(directory / "data")
    async with valkey, create_cache(valkey.url) as cache:
        yield cache
        await cache.connection_pool.disconnect()
    valkey.remove()
    shutil.rmtree(directory)


async def test_a_full_or_read_only_cache_counts_as_unavailable(
    users: Users, resources: Resources, separate_cache: Redis
) -> None:
    """Tickets already issued are not reported as invalid then."""
    owner = await users.person()
    verified = await resources.access_tokens.verify(owner.token)
    scope = await ScopedReader(resources.reads, owner.principal).scope(await owner.project())
    tickets = Tickets(separate_cache, timedelta(seconds=30), resources.secrets.signer(PURPOSE))
    ticket = await tickets.issue(scope, verified)
    await separate_cache.config_set("maxmemory-policy", "noeviction")
    await separate_cache.config_set("maxmemory", "1")
    with pytest.raises(TicketsUnavailableError) as full:
        await tickets.issue(scope, verified)
    assert is_full(full.value.__cause__)
    await separate_cache.config_set("maxmemory", "0")
    await separate_cache.config_set("min-replicas-to-write", "1")
    with pytest.raises(TicketsUnavailableError):
        await tickets.redeem(ticket, scope.project_id)
    assert await AttemptLimiter(separate_cache, 1).admit("someone") is None
    async with claim(separate_cache, cache_keys.ticket("any")) as claimed:
        assert claimed
    await separate_cache.config_set("min-replicas-to-write", "0")
    assert (await tickets.redeem(ticket, scope.project_id)).principal == owner.principal
