"""The commands that set a password. `tests/e2e/test_cli.py` runs them with the codes of real mails."""

from __future__ import annotations

import io
from io import TextIOWrapper
from pathlib import Path

import pytest

from partywall.cli import run
from tests.client.conftest import PASSWORD, Person

NEW = "a new password of mine"


@pytest.fixture(autouse=True)
def terminal(monkeypatch: pytest.MonkeyPatch, tmp_path: Path, person: Person) -> None:
    """A user's configuration directory, with a login."""
    monkeypatch.setenv("XDG_CONFIG_HOME", str(tmp_path))
    monkeypatch.setenv("PARTYWALL_PASSWORD", PASSWORD)
    for name in ("PARTYWALL_SERVER", "PARTYWALL_KEY", "PARTYWALL_NEW_PASSWORD"):
        monkeypatch.delenv(name, raising=False)
    assert run(["login", "--email", person.email, "--server", person.server]) == 0


def give(monkeypatch: pytest.MonkeyPatch, *lines: str) -> None:
    given = "".join(f"{line}\n" for line in lines).encode()
    monkeypatch.setattr("sys.stdin", TextIOWrapper(io.BytesIO(given)))


def test_a_change_logs_in_again(
    person: Person, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setenv("PARTYWALL_NEW_PASSWORD", NEW)
    assert run(["password", "change"]) == 0
    assert f"changed the password of {person.email}" in capsys.readouterr().out
    assert run(["projects", "list"]) == 0
    assert run(["login", "--email", person.email]) == 2
    give(monkeypatch, NEW, "yet another password")
    assert run(["password", "change", "--stdin"]) == 0


@pytest.mark.parametrize(
    ("current", "new", "said"),
    [
        ("the wrong password", NEW, "The current password is wrong"),
        (PASSWORD, "Qwertyuiop", "often used"),
        (PASSWORD, "", "is empty"),
    ],
)
def test_a_refused_change_is_one_line(
    person: Person,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
    current: str,
    new: str,
    said: str,
) -> None:
    give(monkeypatch, current, new)
    assert run(["password", "change", "--stdin"]) == 2
    printed = capsys.readouterr()
    assert said in printed.err
    assert len(printed.err.splitlines()) == 1
    assert run(["projects", "list"]) == 0


def test_codes_that_no_mail_contained_are_refused(
    person: Person, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    for command, lines in (("reset", ("pwp_made_up", NEW)), ("unlock", ("pwu_made_up",))):
        give(monkeypatch, *lines)
        assert run(["password", command, "--stdin"]) == 2
        assert "invalid, expired or already used" in capsys.readouterr().err
    assert run(["password", "reset"]) == 2
    assert "use --stdin" in capsys.readouterr().err
