"""What only this repository's tests need; the fixtures of a deployment are those of `partywall.testing`."""

from __future__ import annotations

import gc
from collections.abc import AsyncIterator, Generator, Iterator

import pytest
from asgi_lifespan import LifespanManager
from fastapi import FastAPI

from partywall.core.resources import Resources
from partywall.main import create_app
from partywall.settings import Settings
from partywall.testing.engines import DatabaseUrls, Superuser, superuser
from partywall.testing.s3_server import S3Server
from partywall.testing.users import Users
from tests.adapters.mail.server import make_certificates
from tests.measurement import MEASUREMENT
from tests.slow_calls import HELD

EMPTY = (
    "DELETE FROM job",
    "DELETE FROM job_request",
    # By the partial indexes of the documents that a worker may take: other tests have left many more.
    """
        UPDATE document SET index_status = 'failed'
        WHERE index_status = 'pending' AND index_error IS NULL AND deleted_at IS NULL
    """,
    """
        UPDATE document AS d SET index_status = 'failed' FROM indexing_attempt AS a
        WHERE a.words AND (d.project_id, d.id) = (a.project_id, a.document_id) AND d.index_status = 'pending'
    """,
)


@pytest.hookimpl(wrapper=True)
def pytest_runtest_makereport() -> Generator[None, pytest.TestReport, pytest.TestReport]:
    """A test's log may contain lone surrogates, which no worker can send."""
    report = yield
    report.sections = [(name, text.encode("utf-8", "backslashreplace").decode()) for name, text in report.sections]
    return report


@pytest.hookimpl(wrapper=True)
def pytest_collection(session: pytest.Session) -> Generator[None, object, object]:
    # With xdist, this process only hands out tests: its workers have started, and measure.
    MEASUREMENT.begin(measured=not session.config.pluginmanager.has_plugin("dsession"))
    gc.disable()  # what is collected stays until the end
    try:
        return (yield)
    finally:
        gc.freeze()
        gc.enable()


@pytest.hookimpl(wrapper=True, tryfirst=True)
def pytest_runtest_protocol(item: pytest.Item) -> Generator[None, object, object]:
    with MEASUREMENT.of_test(processes=item.get_closest_marker("measured_processes") is not None):
        return (yield)


def pytest_sessionfinish() -> None:
    MEASUREMENT.end()


@pytest.fixture(scope="session")
async def kept(database: DatabaseUrls) -> AsyncIterator[Superuser]:
    """The superuser's connections to this worker's database."""
    async with superuser(database) as connections:
        yield connections


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


@pytest.fixture
async def empty_queue(kept: Superuser) -> None:
    """No job or document waits, and none becomes a dead letter: a test must not work off what earlier tests left."""
    async with kept.acquire() as connection:
        for statement in EMPTY:
            await connection.execute(statement)


@pytest.fixture
async def users(
    app: FastAPI, resources: Resources, database: DatabaseUrls, kept: Superuser, empty_queue: None
) -> AsyncIterator[Users]:
    """Creates users: `await users.person()` is a new account with a client that carries its token."""
    async with Users(app, resources, database, kept) as made:
        yield made


@pytest.fixture(scope="session")
async def s3_server(tmp_path_factory: pytest.TempPathFactory) -> AsyncIterator[S3Server]:
    """Started by the first test that needs it."""
    directory = tmp_path_factory.mktemp("s3")
    make_certificates(directory)
    server = S3Server(directory, directory / "chain.pem")
    try:
        await server.start()
        yield server
    finally:
        server.stop()
