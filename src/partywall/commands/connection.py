"""Which server a client's command talks to, as whom, and about which project."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Annotated, Final

import typer

from partywall.client.accounts import normalize
from partywall.client.api import Api, Patience
from partywall.client.errors import ClientError, NotLoggedIn
from partywall.client.projects import Project, create_project, find_project
from partywall.client.store import SessionFile, Store
from partywall.client.tokens import TokenAuth
from partywall.commands.refusal import Refusal

DEFAULT_SERVER: Final = "http://127.0.0.1:8000"

ServerOption = Annotated[
    str | None,
    typer.Option("--server", envvar="PARTYWALL_SERVER", help="The server's URL; by default the one used last."),
]
ProjectOption = Annotated[
    str | None, typer.Option("--project", help="A project's name or id; by default the one used last.")
]


@dataclass(frozen=True, slots=True)
class Connection:
    api: Api
    file: SessionFile

    def project(self, name: str | None) -> Project:
        """The project called `name`, or the one used last; remembered from now on."""
        if name is None:
            return self._last_project()
        found = find_project(self.api, name)
        if found is None:
            raise Refusal(f"no project is called {name!r}: see `partywall projects list`")
        self.file.remember_project(found.remembered)
        return found

    def project_or_new(self, name: str | None) -> tuple[Project, bool]:
        """Like `project`, and made where there is none; whether it was made."""
        found = self.project(None) if name is None else find_project(self.api, name)
        project = found or create_project(self.api, name or "")
        self.file.remember_project(project.remembered)
        return project, found is None

    def _last_project(self) -> Project:
        session = self.file.read()
        if session is None or session.project is None:
            raise Refusal("no project was used yet: name one with --project")
        return Project(id=session.project.id, name=session.project.name)


def store() -> Store:
    return Store(Path(typer.get_app_dir("partywall")))


def server_url(given: str | None) -> str:
    return normalize(given or store().last_server() or DEFAULT_SERVER)


@contextmanager
def failures() -> Iterator[None]:
    """What went wrong between here and the server, in one line."""
    try:
        yield
    except ClientError as error:
        raise Refusal(str(error)) from None


@contextmanager
def connect(given: str | None, patience: Patience | None = None) -> Iterator[Connection]:
    with failures():
        server = server_url(given)
        file = store().session(server)
        if file.read() is None:
            raise NotLoggedIn(server)
        store().remember_server(server)
        with Api(server, TokenAuth(server, file), patience) as api:
            yield Connection(api, file)
