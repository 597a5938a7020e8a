from __future__ import annotations

import os
from pathlib import Path

import pytest

from partywall.cli import run
from partywall.core.system_errors import explained


def test_a_file_of_another_user_is_reported(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    """Also where the file itself may not be inspected: then the owner of its parent directory counts."""
    monkeypatch.setattr(os, "geteuid", lambda: tmp_path.stat().st_uid + 4242)
    for path in (tmp_path, tmp_path / "missing" / "file"):
        message = explained(PermissionError(13, "Permission denied", str(path)))
        assert message.startswith(f"{path}: permission denied ({tmp_path} belongs to ")
        assert "chown" in message


def test_other_errors_keep_their_message(tmp_path: Path) -> None:
    assert explained(PermissionError(13, "Permission denied", str(tmp_path))) == f"{tmp_path}: permission denied"
    assert explained(OSError(28, "No space left on device")) == "no space left on device"


@pytest.mark.parametrize("arguments", [["projects", "list"], ["logout"], ["search", "x"], ["events"]])
def test_an_unreadable_session_file_is_one_line(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path, capsys: pytest.CaptureFixture[str], arguments: list[str]
) -> None:
    (tmp_path / "config").touch()
    monkeypatch.setenv("XDG_CONFIG_HOME", str(tmp_path / "config"))
    assert run(arguments) == 2
    message = capsys.readouterr().err
    assert message.startswith("partywall: ")
    assert message.endswith(": not a directory\n")
    assert message.count("\n") == 1
