from __future__ import annotations

import uuid
from collections.abc import AsyncIterator, Iterator
from dataclasses import dataclass
from pathlib import Path

import pytest

from partywall.client import accounts
from partywall.client.api import Api, RetryBudget
from partywall.client.projects import create_project
from partywall.client.store import SessionFile, Store
from partywall.client.tokens import TokenAuth
from partywall.settings import Settings
from tests.client.proxy import Proxy
from tests.client.target import Target
from tests.server import environment_of, free_port, program, until_ready

PASSWORD = "correct horse battery staple"


@pytest.fixture(scope="session")
async def server(settings: Settings, tmp_path_factory: pytest.TempPathFactory) -> AsyncIterator[str]:
    """A real API process."""
    port = free_port()
    url = f"http://127.0.0.1:{port}"
    log = tmp_path_factory.mktemp("api") / "log"
    async with program("api", "--port", str(port), environment=environment_of(settings), log=log):
        await until_ready(url)
        yield url


@dataclass(frozen=True)
class Person:
    """A logged-in user with a configuration directory of their own."""

    server: str
    email: str
    store: Store

    @property
    def file(self) -> SessionFile:
        return self.store.session(self.server)

    def api(self, seconds: float = 3.0, server: str | None = None) -> Api:
        return Api(server or self.server, TokenAuth(self.server, self.file), RetryBudget(seconds))

    def project(self, name: str = "A project") -> str:
        with self.api() as api:
            return create_project(api, name).id


@pytest.fixture
def person(server: str, tmp_path: Path) -> Person:
    made = Person(server, f"{uuid.uuid4().hex}@example.com", Store(tmp_path / "config"))
    accounts.register(server, made.email, PASSWORD, None)
    accounts.log_in(made.store, server, made.email, PASSWORD)
    return made


@pytest.fixture
def api(person: Person) -> Iterator[Api]:
    with person.api() as api:
        yield api


@pytest.fixture
def proxy(server: str) -> Iterator[Proxy]:
    with Proxy(int(server.rpartition(":")[2])) as proxy:
        yield proxy


@pytest.fixture
def target(person: Person, api: Api) -> Target:
    return Target(api, person.project())


@pytest.fixture
def working_directory(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Where `uploaded` keeps its files."""
    monkeypatch.chdir(tmp_path)
