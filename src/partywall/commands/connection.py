"""The server, credentials and project of a client command."""

from __future__ import annotations

import os
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Annotated, Final

import typer
from pydantic import ValidationError

from partywall.client.accounts import normalize
from partywall.client.api import Api, RetryBudget
from partywall.client.errors import ClientError, NotLoggedIn
from partywall.client.projects import Project, check_name, create_project, find_project, list_projects
from partywall.client.store import RememberedProject, SessionFile, Store
from partywall.client.tokens import KEY_VARIABLE, KeyAuth, TokenAuth
from partywall.commands.terminal import printable
from partywall.commands.usage_error import UsageError

DEFAULT_SERVER: Final = "http://127.0.0.1:8000"

ServerOption = Annotated[
    str | None,
    typer.Option("--server", envvar="PARTYWALL_SERVER", help="The server's URL; default: the one used last."),
]
ProjectOption = Annotated[
    str | None, typer.Option("--project", help="A project's name or id; default: the one used last.")
]


@dataclass(frozen=True, slots=True)
class Connection:
    """`file` stores a user's session. It is None with a key, which has exactly one project."""

    api: Api
    file: SessionFile | None

    @property
    def last_used(self) -> RememberedProject | None:
        session = None if self.file is None else self.file.read()
        return None if session is None else session.project

    def remember(self, project: Project) -> None:
        if self.file is not None:
            self.file.remember_project(project.remembered)

    def project(self, name: str | None) -> Project:
        """Returns the project called `name`, or the one used last; remembers it. Raises UsageError."""
        if name is None:
            return self._last_project()
        found = find_project(self.api, name)
        if found is None:
            raise UsageError(f"no project is called {name!r}: see `partywall projects list`")
        self.remember(found)
        return found

    def project_if_any(self, name: str | None) -> Project | None:
        """Like `project`, but does not remember it; None if a project called `name` would have to be created."""
        if name is None:
            return self._last_project()
        found = find_project(self.api, name)
        if found is None:
            check_name(name)
        return found

    def project_or_new(self, name: str | None) -> tuple[Project, bool]:
        """Like `project`, but creates a missing one. Returns the project and whether it was created."""
        found = self.project(None) if name is None else find_project(self.api, name)
        project = found or create_project(self.api, name or "")
        self.remember(project)
        return project, found is None

    def _last_project(self) -> Project:
        if self.file is None:
            return self._only_project()
        last = self.last_used
        if last is None:
            raise UsageError("no project used yet: choose one with --project")
        return Project(id=last.id, name=last.name)

    def _only_project(self) -> Project:
        entered = list_projects(self.api)
        if not entered:
            raise UsageError(f"the key in {KEY_VARIABLE} no longer gives access to a project")
        return entered[0]


def store() -> Store:
    return Store(Path(typer.get_app_dir("partywall")))


def server_url(given: str | None) -> str:
    return normalize(store().last_server() or DEFAULT_SERVER if given is None else given)


@contextmanager
def failures() -> Iterator[None]:
    """Turns errors of the client into a UsageError of one line."""
    try:
        yield
    except ClientError as error:
        raise UsageError(printable(str(error))) from None
    except ValidationError:
        raise UsageError("the response is not from Partywall: check that --server is its URL") from None


@contextmanager
def connect(given: str | None, retry_budget: RetryBudget | None = None) -> Iterator[Connection]:
    """Connects as the logged-in user, or with the project key in the environment, which stores nothing here."""
    key = os.environ.get(KEY_VARIABLE, "").strip()
    with failures():
        server = server_url(given)
        file = None if key else _session_file(server)
        auth = TokenAuth(server, file) if file is not None else KeyAuth(key)
        with Api(server, auth, retry_budget) as api:
            yield Connection(api, file)


def _session_file(server: str) -> SessionFile:
    file = store().session(server)
    if file.read() is None:
        raise NotLoggedIn(server)
    store().remember_server(server)
    return file
