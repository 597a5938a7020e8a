from __future__ import annotations

import os
from collections.abc import AsyncIterator, Generator, Iterator
from contextlib import contextmanager, nullcontext
from importlib import import_module
from pathlib import Path
from pkgutil import walk_packages

import pytest
import structlog
from asgi_lifespan import LifespanManager
from coverage import Coverage
from fastapi import FastAPI
from httpx2 import ASGITransport, AsyncClient

import partywall
from partywall.core.resources import Resources
from partywall.main import create_app
from partywall.settings import Settings
from partywall.settings.names import read_names
from tests import unmeasured
from tests.engines import DatabaseUrls, Superuser, Urls, new_database, shared_engines, superuser
from tests.server import UNMEASURED
from tests.slow_calls import HELD
from tests.users import Users

# Tests ignore the developer's own settings and those from `make test DATA_DIR=`.
for _name in list(read_names(os.environ, Settings)):
    del os.environ[_name]

# By default it prints every frame's variables in a traceback, which takes a second per exception here.
structlog.configure(
    processors=[
        structlog.contextvars.merge_contextvars,
        structlog.processors.add_log_level,
        structlog.processors.format_exc_info,
        structlog.dev.ConsoleRenderer(colors=False),
    ]
)


@pytest.hookimpl(wrapper=True)
def pytest_runtest_makereport() -> Generator[None, pytest.TestReport, pytest.TestReport]:
    """A test's log may contain lone surrogates, which no worker can send."""
    report = yield
    report.sections = [(name, text.encode("utf-8", "backslashreplace").decode()) for name, text in report.sections]
    return report


@pytest.hookimpl(wrapper=True)
def pytest_collection() -> Generator[None, object, object]:
    """Collection takes twice as long under the tracer. Importing our modules covers their lines."""
    if Coverage.current() is not None:
        for found in walk_packages(partywall.__path__, "partywall."):
            if found.name not in ("partywall.__main__", "partywall.asgi"):  # these start to work on import
                import_module(found.name)
    with untraced():
        return (yield)


@contextmanager
def untraced() -> Iterator[None]:
    """Processes started meanwhile are not measured either."""
    measuring = Coverage.current()
    if measuring is None:
        yield
        return
    measuring.stop()
    try:
        with pytest.MonkeyPatch.context() as patch:
            for name, value in UNMEASURED.items():
                patch.setenv(name, value)
            yield
    finally:
        measuring.start()


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    for item in items:
        if item.path in unmeasured.FILES:
            item.add_marker("unmeasured")


@pytest.hookimpl(wrapper=True)
def pytest_runtest_protocol(item: pytest.Item) -> Generator[None, object, object]:
    with nullcontext() if item.get_closest_marker("unmeasured") is None else untraced():
        return (yield)


@pytest.fixture(scope="session")
async def engines(tmp_path_factory: pytest.TempPathFactory) -> AsyncIterator[Urls]:
    base = tmp_path_factory.getbasetemp()
    shared = base.parent if "PYTEST_XDIST_WORKER" in os.environ else base
    async with shared_engines(shared / "engines") as urls:
        yield urls


@pytest.fixture(scope="session")
async def database(engines: Urls) -> DatabaseUrls:
    """This worker's own database, migrated, with real commits; tests create their own users and projects."""
    return await new_database(engines, "worker")


@pytest.fixture(scope="session")
async def kept(database: DatabaseUrls) -> AsyncIterator[Superuser]:
    """The superuser's connections to this worker's database."""
    async with superuser(database) as connections:
        yield connections


@pytest.fixture(scope="session")
def settings(engines: Urls, database: DatabaseUrls, tmp_path_factory: pytest.TempPathFactory) -> Settings:
    data: Path = tmp_path_factory.mktemp("data")
    return Settings.model_validate(
        {
            "data_dir": data,
            "secret_key": "a secret of the tests, long enough: 0123456789",
            "database": {"engine": "embedded", "url": database.runtime, "owner_url": database.owner, "pool_size": 5},
            "cache": {"engine": "embedded", "url": engines.cache},
            "accounts": {"attempts_per_minute": 100_000},
            "http": {"docs": True},
            "search": {"timeout": "PT1M"},
            "jobs": {"poll_interval": "PT0.2S"},
            # The tests' receivers listen on loopback; other tests cover what is refused.
            "outgoing": {"allow_http": True, "allowed_networks": "127.0.0.0/8"},
        }
    )


@pytest.fixture(scope="session")
async def app(settings: Settings) -> AsyncIterator[FastAPI]:
    app = create_app(settings)
    async with LifespanManager(app, startup_timeout=60, shutdown_timeout=60):
        with HELD.watch(app.state.resources.engine):
            yield app


@pytest.fixture(autouse=True)
def nothing_slow_in_a_transaction() -> Iterator[None]:
    """For every test: no wait for a thread, a process, Valkey or the network while a connection is held."""
    HELD.take()
    yield
    assert not (found := HELD.take()), "\n".join(dict.fromkeys(found))


@pytest.fixture(scope="session")
def resources(app: FastAPI) -> Resources:
    found: Resources = app.state.resources
    return found


@pytest.fixture
async def anonymous(app: FastAPI) -> AsyncIterator[AsyncClient]:
    transport = ASGITransport(app, raise_app_exceptions=False)
    async with AsyncClient(transport=transport, base_url="http://test") as client:
        yield client


@pytest.fixture
async def empty_queue(kept: Superuser) -> None:
    """No job or document waits, and none becomes a dead letter: a test must not work off what earlier tests left."""
    await kept.execute("DELETE FROM job")
    await kept.execute("DELETE FROM job_request")
    await kept.execute("UPDATE document SET index_status = 'failed' WHERE index_status = 'pending'")


@pytest.fixture
async def users(
    app: FastAPI, resources: Resources, database: DatabaseUrls, kept: Superuser, empty_queue: None
) -> AsyncIterator[Users]:
    """Creates users: `await users.person()` is a new account with a client that carries its token."""
    async with Users(app, resources, database, kept) as made:
        yield made
