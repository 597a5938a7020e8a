from __future__ import annotations

import stat
from pathlib import Path

import pytest

from partywall.client.errors import ClientError
from partywall.client.store import RememberedProject, Session, Store

SERVER = "https://one.example.com:8443/api"
SESSION = Session(server=SERVER, email="ann@example.com", access_token="access", refresh_token="refresh")


@pytest.fixture
def store(tmp_path: Path) -> Store:
    return Store(tmp_path / "config")


def test_a_session_is_private_and_can_be_read_back(store: Store) -> None:
    file = store.session(SERVER)
    file.write(SESSION)
    assert file.read() == SESSION
    assert stat.S_IMODE(file.path.stat().st_mode) == 0o600
    assert stat.S_IMODE(file.path.parent.stat().st_mode) == 0o700


def test_each_server_has_its_own_session(store: Store) -> None:
    store.session(SERVER).write(SESSION)
    assert store.session("https://two.example.com").read() is None


def test_a_project_is_remembered_for_a_session_only(store: Store) -> None:
    file = store.session(SERVER)
    project = RememberedProject(id="1", name="One")
    file.remember_project(project)
    assert file.read() is None
    file.write(SESSION)
    file.remember_project(project)
    assert file.read() == SESSION.model_copy(update={"project": project})


def test_the_last_server_is_remembered(store: Store) -> None:
    assert store.last_server() is None
    store.remember_server(SERVER)
    assert store.last_server() == SERVER


def test_a_forgotten_session_is_gone(store: Store) -> None:
    file = store.session(SERVER)
    file.write(SESSION)
    file.forget()
    file.forget()
    assert file.read() is None


def test_a_damaged_file_is_named(store: Store) -> None:
    file = store.session(SERVER)
    file.write(SESSION)
    file.path.write_text("{")
    with pytest.raises(ClientError, match=str(file.path)):
        file.read()
