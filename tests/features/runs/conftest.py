from __future__ import annotations

from collections.abc import AsyncIterator
from datetime import timedelta

import pytest
from asgi_lifespan import LifespanManager
from fastapi import FastAPI

from partywall.core.jobs import dead_letter
from partywall.core.resources import Resources
from partywall.features.runs.execution import retry_schedule
from partywall.main import create_app
from partywall.settings import Settings
from partywall.testing.engines import DatabaseUrls, Urls
from partywall.testing.users import Users
from tests.features.runs.agent_workspace import AgentWorkspace
from tests.features.runs.model_server import ModelServer, model_server


@pytest.fixture(autouse=True)
def short_pauses(monkeypatch: pytest.MonkeyPatch) -> None:
    """Between attempts whose answer broke off in the middle."""
    monkeypatch.setattr(retry_schedule, "PAUSES_AFTER_CUT", (timedelta(milliseconds=20),))


@pytest.fixture
def quick_retries(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(dead_letter, "FIRST_DELAY", dead_letter.FIRST_DELAY / 50)
    monkeypatch.setattr(retry_schedule, "LONGEST_PAUSE", dead_letter.FIRST_DELAY)


@pytest.fixture(scope="session")
async def shared_model() -> AsyncIterator[ModelServer]:
    async with model_server() as model:
        yield model


@pytest.fixture
def model(shared_model: ModelServer) -> ModelServer:
    """The shared model server, reset for each test."""
    shared_model.__init__(shared_model.url)  # type: ignore[misc]  # as new
    return shared_model


@pytest.fixture(scope="session")
def settings(
    engines: Urls, database: DatabaseUrls, shared_model: ModelServer, tmp_path_factory: pytest.TempPathFactory
) -> Settings:
    return Settings.model_validate(
        {
            "data_dir": tmp_path_factory.mktemp("agents"),
            "secret_key": "a secret of the tests, long enough: 0123456789",
            "database": {"engine": "embedded", "url": database.runtime, "owner_url": database.owner, "pool_size": 5},
            "cache": {"engine": "embedded", "url": engines.cache},
            "accounts": {"attempts_per_minute": 100_000},
            "jobs": {"poll_interval": "PT0.2S"},
            "search": {"timeout": "PT1M"},
            "agents": {
                "model": "openai:scripted",
                "base_url": shared_model.url,
                "modules": ["tests.features.runs.assistant"],
                "model_retries": 0,
                "retry_for": "PT30S",
                "model_timeout": "PT20S",
            },
        }
    )


@pytest.fixture(scope="session")
async def app(settings: Settings) -> AsyncIterator[FastAPI]:
    app = create_app(settings)
    async with LifespanManager(app, startup_timeout=60, shutdown_timeout=60):
        yield app


@pytest.fixture(scope="session")
def resources(app: FastAPI) -> Resources:
    found: Resources = app.state.resources
    return found


@pytest.fixture
async def workspace(users: Users, resources: Resources, database: DatabaseUrls, model: ModelServer) -> AgentWorkspace:
    """A project whose owner starts runs."""
    owner = await users.person()
    return AgentWorkspace(users, owner, await owner.project(), resources, database, model)
