"""A command's output and exit code match what happened: all of it, a part, or nothing."""

from __future__ import annotations

from pathlib import Path

import pytest

from partywall.cli import run
from partywall.client.document_import.send import BATCH_DOCUMENTS, SERVER_FAILURES
from partywall.commands import document_import
from tests.client.conftest import PASSWORD, Person
from tests.client.proxy import Proxy


@pytest.fixture(autouse=True)
def terminal(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> Path:
    """A user's configuration directory, still empty."""
    monkeypatch.setenv("XDG_CONFIG_HOME", str(tmp_path))
    monkeypatch.setenv("PARTYWALL_PASSWORD", PASSWORD)
    for name in ("PARTYWALL_SERVER", "PARTYWALL_KEY"):
        monkeypatch.delenv(name, raising=False)
    return tmp_path / "partywall"


def test_an_unverified_user_is_told_how_to_continue(
    person: Person, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    """As under required verification: the account is created, but it cannot log in before its mail is confirmed."""
    monkeypatch.setenv("PARTYWALL_PASSWORD", "another password than before")
    assert run(["register", "--email", person.email, "--server", person.server]) == 0
    printed = capsys.readouterr()
    assert printed.out == (
        f"accepted: confirm {person.email} as described in the mail,"
        f" then run `partywall login --server {person.server}`\n"
    )
    assert printed.err == ""


def test_registering_without_a_login_exits_as_partly_done(
    server: str, terminal: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    terminal.write_text("where the tokens should be kept")
    assert run(["register", "--email", "kept@example.com", "--server", server]) == 1
    printed = capsys.readouterr()
    assert printed.out == ""
    assert printed.err.startswith("registered, but not logged in (")
    assert f"`partywall login --server {server}`" in printed.err


def test_a_refused_login_exits_as_nothing_done(person: Person, capsys: pytest.CaptureFixture[str]) -> None:
    assert run(["login", "--email", "nobody@example.com", "--server", person.server]) == 2
    assert "wrong e-mail address or password" in capsys.readouterr().err


def test_an_empty_result_is_reported(person: Person, capsys: pytest.CaptureFixture[str]) -> None:
    assert run(["login", "--email", person.email, "--server", person.server]) == 0
    assert run(["projects", "list"]) == 0
    assert capsys.readouterr().err == "no project yet: `partywall projects create NAME`\n"
    assert run(["projects", "create", "Leer", "--language", "?"]) == 2
    assert "language" in capsys.readouterr().err
    assert run(["projects", "create", "Empty", "--language", "de"]) == 0
    assert run(["events", "--types", "run.created"]) == 0
    assert capsys.readouterr().err == "no matching event is stored in 'Empty'\n"


def test_a_stopped_import_exits_as_partly_done(
    person: Person, proxy: Proxy, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr(document_import, "MAX_WAIT_SECONDS", 0.0)
    files = tmp_path / "files"
    files.mkdir()
    for number in range(BATCH_DOCUMENTS + SERVER_FAILURES):
        (files / f"{number:03}.txt").write_text("text")
    assert run(["login", "--email", person.email, "--server", proxy.url]) == 0
    proxy.posts = 2  # the project and the first batch
    assert run(["import", str(files), "--project", "Half"]) == 1
    printed = capsys.readouterr()
    assert printed.out.endswith(f"{BATCH_DOCUMENTS} sent, 0 changed, 0 unchanged, {SERVER_FAILURES - 1} failed\n")
    assert "stopped: " in printed.err
    assert "repeat the command to continue" in printed.err


def test_an_import_that_cannot_begin_is_refused(
    person: Person, proxy: Proxy, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr(document_import, "MAX_WAIT_SECONDS", 0.0)
    (tmp_path / "a.txt").write_text("text")
    assert run(["login", "--email", person.email, "--server", proxy.url]) == 0
    proxy.posts = 0
    capsys.readouterr()
    assert run(["import", str(tmp_path / "a.txt"), "--project", "None"]) == 2
    printed = capsys.readouterr()
    assert (printed.out, printed.err.startswith("partywall: ")) == ("", True)


@pytest.mark.parametrize("options", [["--dry-run"], []])
def test_an_import_into_a_project_that_cannot_be_created_is_refused(
    person: Person, tmp_path: Path, capsys: pytest.CaptureFixture[str], options: list[str]
) -> None:
    (tmp_path / "a.txt").write_text("text")
    assert run(["login", "--email", person.email, "--server", person.server]) == 0
    for name in ("n" * 201, " "):
        capsys.readouterr()
        assert run(["import", str(tmp_path / "a.txt"), "--project", name, *options]) == 2
        printed = capsys.readouterr()
        assert (printed.out, printed.err) == ("", "partywall: a project's name has 1 to 200 characters\n")


def test_a_refused_value_is_called_as_on_the_command_line(
    person: Person, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    assert run(["login", "--email", person.email, "--server", person.server]) == 0
    assert run(["projects", "create", "Some"]) == 0
    monkeypatch.setenv("PARTYWALL_PASSWORD", "short")
    for arguments, name in (
        (["register", "--email", "new@example.com", "--name", "n" * 1000, "--server", person.server], "--name"),
        (["register", "--email", "new@example.com", "--server", person.server], "the password"),
        (["register", "--email", "nobody", "--server", person.server], "--email"),
        (["search", ""], "QUERY"),
        (["projects", "create", "a\u202eb"], "the project's name"),
    ):
        capsys.readouterr()
        assert run(arguments) == 2
        assert f"{name}: " in capsys.readouterr().err.removeprefix("partywall: ")
