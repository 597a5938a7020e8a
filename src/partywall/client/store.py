"""Stores the tokens and the last project of each server, in files of mode 0600."""

from __future__ import annotations

import fcntl
import os
import re
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

from pydantic import BaseModel, ConfigDict, ValidationError

from partywall.client.errors import ClientError


class RememberedProject(BaseModel):
    id: str
    name: str


class Session(BaseModel):
    model_config = ConfigDict(frozen=True)

    server: str
    email: str
    access_token: str
    refresh_token: str
    project: RememberedProject | None = None


@dataclass(frozen=True, slots=True)
class Store:
    directory: Path

    def session(self, server: str) -> SessionFile:
        return SessionFile(self.directory / f"{re.sub(r'[^A-Za-z0-9.-]+', '_', server)}.json")

    def last_server(self) -> str | None:
        try:
            return (self.directory / "server").read_text().strip() or None
        except FileNotFoundError:
            return None

    def remember_server(self, server: str) -> None:
        _write(self.directory / "server", server)


@dataclass(frozen=True, slots=True)
class SessionFile:
    """One server's session. Hold the lock to change it, so that two commands never use the same refresh token."""

    path: Path

    def read(self) -> Session | None:
        try:
            return Session.model_validate_json(self.path.read_bytes())
        except FileNotFoundError:
            return None
        except ValidationError:
            # lint: allow dropped-cause - it quotes the tokens of the file
            raise ClientError(f"{self.path} cannot be read: delete it and log in again") from None

    @contextmanager
    def locked(self) -> Iterator[None]:
        _make_private(self.path.parent)
        descriptor = os.open(self.path.with_suffix(".lock"), os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600)
        try:
            fcntl.flock(descriptor, fcntl.LOCK_EX)
            yield
        finally:
            os.close(descriptor)

    def write(self, session: Session) -> None:
        _write(self.path, session.model_dump_json())

    def remember_project(self, project: RememberedProject) -> None:
        with self.locked():
            session = self.read()
            if session is not None and session.project != project:
                self.write(session.model_copy(update={"project": project}))

    def forget(self) -> None:
        with self.locked():
            self.path.unlink(missing_ok=True)


def _make_private(directory: Path) -> None:
    directory.mkdir(mode=0o700, parents=True, exist_ok=True)


def _write(path: Path, text: str) -> None:
    """Replaces the file atomically; only its owner may read it."""
    _make_private(path.parent)
    draft = path.with_name(f".{path.name}.{os.getpid()}")
    descriptor = os.open(draft, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o600)
    with os.fdopen(descriptor, "w") as file:
        file.write(text)
        file.flush()
        os.fsync(file.fileno())
    draft.replace(path)
