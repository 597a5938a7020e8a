from __future__ import annotations

from collections.abc import AsyncIterator, Callable, Mapping
from contextlib import AbstractAsyncContextManager, asynccontextmanager
from dataclasses import dataclass, replace
from typing import Final
from uuid import UUID, uuid4

import asyncpg
import pytest
from asgi_lifespan import LifespanManager
from httpx2 import ASGITransport, AsyncClient, Response

from partywall.core.resources import Resources
from partywall.core.security import passwords
from partywall.features.accounts.feature import feature
from partywall.main import create_app
from partywall.settings import Settings
from partywall.testing.engines import DatabaseUrls, Superuser
from tests.mailbox import working

REGISTER: Final = "/api/v1/auth/register"
TOKEN: Final = "/api/v1/auth/token"
REVOKE: Final = "/api/v1/auth/revoke"
VERIFY: Final = "/api/v1/auth/email/verify"
RESEND: Final = "/api/v1/auth/email/resend"
SESSIONS: Final = "/api/v1/auth/sessions"
ME: Final = "/api/v1/users/me"
PASSWORD: Final = "correct horse battery"


def bearer(token: str) -> dict[str, str]:
    return {"Authorization": f"Bearer {token}"}


@dataclass(frozen=True, slots=True)
class Login:
    access: str
    refresh: str


@dataclass(frozen=True, slots=True)
class Visitor:
    """A client with its own e-mail address, not logged in."""

    client: AsyncClient
    email: str
    address: str | None = None

    def at(self, address: str) -> Visitor:
        """The same visitor at another network address; needs a trusted proxy on loopback."""
        return replace(self, address=address)

    @property
    def _sent(self) -> dict[str, str]:
        return {} if self.address is None else {"X-Forwarded-For": self.address}

    async def register(self, password: str = PASSWORD) -> Response:
        return await self.client.post(REGISTER, json={"email": self.email, "password": password}, headers=self._sent)

    async def try_login(self, password: str = PASSWORD, username: str | None = None) -> Response:
        form = {"grant_type": "password", "username": username or self.email, "password": password}
        return await self.client.post(TOKEN, data=form, headers=self._sent)

    async def log_in(self) -> Login:
        answer = await self.try_login()
        assert answer.status_code == 200, answer.text
        body = answer.json()
        return Login(body["access_token"], body["refresh_token"])

    async def refresh(self, token: str) -> Response:
        return await self.client.post(
            TOKEN, data={"grant_type": "refresh_token", "refresh_token": token}, headers=self._sent
        )

    async def revoke(self, token: str) -> Response:
        return await self.client.post(REVOKE, data={"token": token}, headers=self._sent)

    async def verify(self, token: str) -> Response:
        return await self.client.post(VERIFY, json={"token": token}, headers=self._sent)

    async def resend(self) -> Response:
        return await self.client.post(RESEND, json={"email": self.email}, headers=self._sent)

    async def send(self, path: str, body: Mapping[str, str], token: str | None = None) -> Response:
        headers = self._sent | ({} if token is None else bearer(token))
        return await self.client.post(path, json=dict(body), headers=headers)

    async def me(self, token: str) -> Response:
        return await self.client.get(ME, headers=bearer(token))


@pytest.fixture
def full_cost() -> None:
    """Requested by tests that need the real cost of password hashing."""


@pytest.fixture(autouse=True)
def cheap_passwords(request: pytest.FixtureRequest, resources: Resources, monkeypatch: pytest.MonkeyPatch) -> None:
    """Makes password hashing cheap, except in tests that request `full_cost`."""
    if "full_cost" in request.fixturenames:
        return
    for name, least in (("_MEMORY_KIB", 8), ("_PASSES", 1), ("_LANES", 1)):
        monkeypatch.setattr(passwords, name, least)
    cheap = passwords.Passwords(1)
    for name in ("_hashes", "_nobodys"):
        monkeypatch.setattr(resources.passwords, name, getattr(cheap, name))


def new_address() -> str:
    return f"{uuid4().hex}@example.com"


@pytest.fixture
def visitor(anonymous: AsyncClient, empty_queue: None) -> Visitor:
    return Visitor(anonymous, new_address())


@pytest.fixture
async def member(visitor: Visitor) -> Visitor:
    """A registered visitor."""
    assert (await visitor.register()).status_code == 202
    return visitor


type Variant = Callable[..., AbstractAsyncContextManager[Visitor]]


@pytest.fixture
def variant(settings: Settings) -> Variant:
    """The application with other account settings: `async with variant(registration="closed") as visitor`."""

    @asynccontextmanager
    async def opened(cache_url: str | None = None, **accounts: object) -> AsyncIterator[Visitor]:
        changed = settings.model_dump()
        changed["accounts"] |= accounts
        changed["http"]["trusted_proxies"] = ["127.0.0.1"]
        if cache_url is not None:
            changed["cache"]["url"] = cache_url
        app = create_app(Settings.model_validate(changed))
        async with LifespanManager(app, startup_timeout=60, shutdown_timeout=60):
            transport = ASGITransport(app, raise_app_exceptions=False)
            async with AsyncClient(transport=transport, base_url="http://test") as client:
                yield Visitor(client, new_address())

    return opened


@pytest.fixture
async def superuser(kept: Superuser) -> AsyncIterator[asyncpg.Connection]:
    async with kept.acquire() as connection:
        yield connection


@pytest.fixture
async def working_accounts(resources: Resources, database: DatabaseUrls, empty_queue: None) -> AsyncIterator[None]:
    """A worker that runs the account jobs."""
    async with working(resources, database, feature.jobs):
        yield


async def account_id(superuser: asyncpg.Connection, email: str) -> UUID:
    found = await superuser.fetchval("SELECT id FROM account WHERE email = $1", email)
    assert found is not None
    return UUID(str(found))
