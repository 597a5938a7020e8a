from __future__ import annotations

import secrets
from collections.abc import AsyncIterator, Callable, Mapping
from contextlib import AbstractAsyncContextManager, asynccontextmanager
from dataclasses import dataclass, field, replace
from typing import Final
from urllib.parse import parse_qsl, urlsplit
from uuid import uuid4

import httpx2
import pytest
from asgi_lifespan import LifespanManager
from fastapi import FastAPI
from httpx2 import ASGITransport, AsyncClient, Response

from partywall.features.identities.external_login import challenge_of
from partywall.main import create_app
from partywall.settings import Settings
from tests.features.identities import oidc_servers as oidc
from tests.features.identities.github_server import CLIENT_ID, SECRET, GitHubServer, GitHubUser, github_server
from tests.features.identities.oidc_servers import OidcServer
from tests.slow_calls import HELD

OAUTH: Final = "/api/v1/auth/oauth"
IDENTITIES: Final = "/api/v1/users/me/identities"
RETURN_TO: Final = "https://app.example.com/signed-in?page=1"

type Opened = Callable[..., AbstractAsyncContextManager[FastAPI]]


def query_of(url: str) -> dict[str, str]:
    return dict(parse_qsl(urlsplit(url).query))


def new_address() -> str:
    return f"{uuid4().hex}@example.com"


@dataclass(frozen=True, slots=True)
class Browser:
    """A browser with its cookies for this server, and the client application in it."""

    client: AsyncClient
    provider: str = "github"
    verifier: str = field(default_factory=lambda: secrets.token_urlsafe(40))

    def at(self, provider: str) -> Browser:
        return replace(self, provider=provider)

    async def begin(self, **changed: str) -> Response:
        query = {"return_to": RETURN_TO, "code_challenge": challenge_of(self.verifier), "state": "of the app"}
        return await self.client.get(f"{OAUTH}/{self.provider}/authorize", params={**query, **changed})

    async def answer(self) -> str:
        """The address at which GitHub's answer arrives."""
        begun = await self.begin()
        assert begun.status_code == 303, begun.text
        async with httpx2.AsyncClient() as outside:
            return (await outside.get(begun.headers["location"])).headers["location"]

    async def approved(self, person: str) -> str:
        """The address at which the answer of an OIDC provider arrives."""
        begun = await self.begin()
        assert begun.status_code == 303, begun.text
        return await oidc.approve(begun.headers["location"], person)

    async def arrive(self, url: str) -> dict[str, str]:
        """What the client application is told."""
        ended = await self.client.get(url)
        assert ended.status_code == 303, ended.text
        assert ended.headers["location"].startswith(RETURN_TO)
        return query_of(ended.headers["location"])

    async def code(self) -> str:
        return (await self.arrive(await self.answer()))["code"]

    async def redeem(self, code: str, verifier: str | None = None) -> Response:
        body = {"code": code, "code_verifier": verifier or self.verifier}
        return await self.client.post(f"{OAUTH}/token", json=body)

    async def log_in(self) -> Response:
        return await self.redeem(await self.code())

    async def token(self) -> str:
        answer = await self.log_in()
        assert answer.status_code == 200, answer.text
        return str(answer.json()["access_token"])

    async def me(self, token: str) -> dict[str, object]:
        answer = await self.client.get("/api/v1/users/me", headers={"Authorization": f"Bearer {token}"})
        return dict(answer.json())


def browser_of(app: FastAPI) -> AsyncClient:
    return AsyncClient(transport=ASGITransport(app, raise_app_exceptions=False), base_url="http://test")


@pytest.fixture(scope="session")
async def github_one() -> AsyncIterator[GitHubServer]:
    async with github_server() as running:
        yield running


@pytest.fixture
def github(github_one: GitHubServer) -> GitHubServer:
    """A person who is new here is logged in to it."""
    github_one.user, github_one.away, github_one.denies = GitHubUser(new_address()), False, False
    github_one.answers.clear()
    return github_one


@pytest.fixture(scope="session")
def opened(settings: Settings) -> Opened:
    """An application with these identity providers: `async with opened(providers, accounts={...}) as app`."""

    @asynccontextmanager
    async def opened(providers: Mapping[str, object], **changed: Mapping[str, object]) -> AsyncIterator[FastAPI]:
        values = settings.model_dump()
        values["http"]["public_url"] = "http://test"
        values["identities"] |= {
            "providers": providers, "return_addresses": (RETURN_TO,), "allow_http": True,
            "allowed_networks": ("127.0.0.0/8",),
        }  # fmt: skip
        for section, group in changed.items():
            values[section] |= group
        app = create_app(Settings.model_validate(values))
        async with LifespanManager(app, startup_timeout=60, shutdown_timeout=60):
            with HELD.watch(app.state.resources.engine):
                yield app

    return opened


def github_settings(server: GitHubServer) -> dict[str, object]:
    return {"github": {"client_id": CLIENT_ID, "client_secret": SECRET, "server": server.url, "title": "GitHub"}}


@pytest.fixture(scope="session")
async def github_app(opened: Opened, github_one: GitHubServer) -> AsyncIterator[FastAPI]:
    async with opened(github_settings(github_one)) as app:
        yield app


@pytest.fixture
async def browser(github_app: FastAPI, github: GitHubServer) -> AsyncIterator[Browser]:
    async with browser_of(github_app) as client:
        yield Browser(client)


@pytest.fixture(scope="session")
async def oidc_running(tmp_path_factory: pytest.TempPathFactory) -> AsyncIterator[dict[str, OidcServer]]:
    async with oidc.oidc_servers(tmp_path_factory.mktemp("oidc")) as running:
        yield running


def oidc_settings(servers: Mapping[str, OidcServer]) -> dict[str, object]:
    client = {"client_id": oidc.CLIENT_ID, "client_secret": oidc.SECRET}
    return {name: {**client, "discovery_url": each.discovery_url} for name, each in servers.items()}


@pytest.fixture(scope="session")
async def oidc_app(opened: Opened, oidc_running: dict[str, OidcServer]) -> AsyncIterator[FastAPI]:
    async with opened(oidc_settings(oidc_running)) as app:
        yield app


@pytest.fixture
async def one(oidc_running: dict[str, OidcServer]) -> OidcServer:
    """An OIDC provider without faults."""
    await oidc_running["one"].change()
    return oidc_running["one"]


@pytest.fixture
async def oidc_browser(oidc_app: FastAPI, one: OidcServer) -> AsyncIterator[Browser]:
    async with browser_of(oidc_app) as client:
        yield Browser(client, "one")
