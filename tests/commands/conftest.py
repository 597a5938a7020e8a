from __future__ import annotations

import logging
from collections.abc import Iterator
from pathlib import Path

import pytest
import structlog

from partywall.settings import Settings
from partywall.testing.engines import DatabaseUrls


@pytest.fixture(autouse=True)
def logging_as_before() -> Iterator[None]:
    """Restores the logging that a command run in this process has configured."""
    before, root = structlog.get_config(), logging.getLogger()
    handlers, level = root.handlers[:], root.level
    yield
    structlog.configure(**before)
    root.handlers[:] = handlers
    root.setLevel(level)


@pytest.fixture
def bare(monkeypatch: pytest.MonkeyPatch, tmp_path_factory: pytest.TempPathFactory) -> None:
    """A directory without `.env`."""
    monkeypatch.chdir(tmp_path_factory.mktemp("empty"))


@pytest.fixture
def servers(monkeypatch: pytest.MonkeyPatch, settings: Settings, database: DatabaseUrls, tmp_path: Path) -> None:
    """Commands use the tests' engines, as servers."""
    assert settings.cache.url is not None
    monkeypatch.chdir(tmp_path)
    for name, value in {
        "DATABASE__ENGINE": "server",
        "DATABASE__URL": database.runtime,
        "DATABASE__OWNER_URL": database.owner,
        "CACHE__ENGINE": "server",
        "CACHE__URL": settings.cache.url.get_secret_value(),
    }.items():
        monkeypatch.setenv(name, value)
