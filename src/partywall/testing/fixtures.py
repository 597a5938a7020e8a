"""A deployment on embedded engines, with accounts and projects."""

from __future__ import annotations

import os
from collections.abc import AsyncIterator, Awaitable, Callable, Iterator, Mapping
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from uuid import UUID

import pytest
import pytest_asyncio
from asgi_lifespan import LifespanManager
from fastapi import FastAPI
from httpx2 import ASGITransport, AsyncClient
from pydantic import JsonValue

from partywall.core.resources import Resources
from partywall.extensions.enabled import enabled_features, is_installed
from partywall.main import create_app
from partywall.settings import Settings
from partywall.testing.deployment import environment_of_features, settings_for_tests, with_features
from partywall.testing.engines import DatabaseUrls, Urls, new_database, shared_engines
from partywall.testing.users import Person, Users
from partywall.testing.workers import run_due_jobs


@dataclass(frozen=True, slots=True)
class OwnedProject:
    """A project and its owner, with the client that carries the owner's token."""

    id: UUID
    owner: Person

    @property
    def client(self) -> AsyncClient:
        return self.owner.client

    @property
    def url(self) -> str:
        return f"/api/v1/projects/{self.id}"


@pytest.fixture(scope="session")
def partywall_features(pytestconfig: pytest.Config) -> tuple[str, ...]:
    """The enabled features: those of the option `partywall_features`."""
    return tuple(pytestconfig.getini("partywall_features"))


@pytest.fixture(scope="session")
def partywall_settings() -> Mapping[str, JsonValue]:
    """Further settings by group or feature, such as `{"orders": {"max_items": 3}}`. Override it to change them."""
    return {}


@pytest.fixture(scope="session")
def feature_environment(
    partywall_features: tuple[str, ...], partywall_settings: Mapping[str, JsonValue]
) -> Iterator[None]:
    """Features read their own settings from the environment."""
    with environment_of_features(partywall_settings, partywall_features):
        yield


@pytest_asyncio.fixture(scope="session", loop_scope="session")
async def engines(tmp_path_factory: pytest.TempPathFactory, partywall_features: tuple[str, ...]) -> AsyncIterator[Urls]:
    """PostgreSQL for the whole run, and Valkey for this process, both embedded."""
    base = tmp_path_factory.getbasetemp()
    shared = base.parent if "PYTEST_XDIST_WORKER" in os.environ else base
    async with shared_engines(shared / "engines", partywall_features) as urls:
        yield urls


@pytest_asyncio.fixture(scope="session", loop_scope="session")
async def database(engines: Urls) -> DatabaseUrls:
    """This process's own database, migrated, with real commits; tests create their own users and projects."""
    return await new_database(engines, "worker")


@pytest.fixture(scope="session")
def settings(
    engines: Urls,
    database: DatabaseUrls,
    partywall_features: tuple[str, ...],
    partywall_settings: Mapping[str, JsonValue],
    tmp_path_factory: pytest.TempPathFactory,
) -> Settings:
    data: Path = tmp_path_factory.mktemp("data")
    more = with_features(partywall_settings, partywall_features)
    return settings_for_tests(database, engines.cache, data, more)


@pytest_asyncio.fixture(scope="session", loop_scope="session")
async def app(settings: Settings, feature_environment: None) -> AsyncIterator[FastAPI]:
    """The application with the enabled features, after its start."""
    app = create_app(settings)
    async with LifespanManager(app, startup_timeout=60, shutdown_timeout=60):
        yield app


@pytest.fixture(scope="session")
def resources(app: FastAPI) -> Resources:
    found: Resources = app.state.resources
    return found


@pytest_asyncio.fixture(loop_scope="session")
async def anonymous(app: FastAPI) -> AsyncIterator[AsyncClient]:
    """A client without a credential."""
    transport = ASGITransport(app, raise_app_exceptions=False)
    async with AsyncClient(transport=transport, base_url="http://test") as client:
        yield client


@pytest_asyncio.fixture(loop_scope="session")
async def users(app: FastAPI, resources: Resources, database: DatabaseUrls) -> AsyncIterator[Users]:
    """Creates users: `await users.person()` is a new account with a client that carries its token."""
    async with Users(app, resources, database) as made:
        yield made


@pytest.fixture
def run_jobs(resources: Resources, users: Users, partywall_features: tuple[str, ...]) -> Callable[[], Awaitable[None]]:
    """`await run_jobs()` runs the jobs of the enabled installed features until none is due."""
    installed = filter(is_installed, enabled_features(partywall_features))
    return partial(run_due_jobs, resources, users, [job for feature in installed for job in feature.jobs])


@pytest_asyncio.fixture(loop_scope="session")
async def project(users: Users) -> OwnedProject:
    """A new project."""
    owner = await users.person()
    return OwnedProject(await owner.project(), owner)


@pytest_asyncio.fixture(loop_scope="session")
async def other_project(users: Users) -> OwnedProject:
    """A new project of somebody else."""
    owner = await users.person()
    return OwnedProject(await owner.project("Another project"), owner)
