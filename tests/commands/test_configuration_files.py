"""Settings from JSON and from files."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.commands.test_configuration import SERVERS, lines, load_with

pytestmark = pytest.mark.usefixtures("bare")


def test_a_mapping_may_come_as_json(monkeypatch: pytest.MonkeyPatch) -> None:
    settings = load_with(
        monkeypatch, {**SERVERS, "AGENTS__MODELS": '{"answer": "lab:x"}', "AGENTS__SERVERS__LAB__URL": "http://lab"}
    )
    assert settings.agents.models == {"answer": "lab:x"}


@pytest.mark.parametrize("in_file", [False, True])
def test_a_section_may_come_as_json(monkeypatch: pytest.MonkeyPatch, tmp_path: Path, in_file: bool) -> None:
    given = {"Accounts": ' {"registration": "closed"}', "LOG": '{"level": "error"}', "LOG__FORMAT": "json"}
    monkeypatch.chdir(tmp_path)
    if in_file:
        (tmp_path / ".env").write_text("".join(f"{name}='{value}'\n" for name, value in given.items()))
    settings = load_with(monkeypatch, SERVERS if in_file else SERVERS | given)
    assert (settings.accounts.registration, settings.log.level, settings.log.format) == ("closed", "error", "json")


@pytest.mark.parametrize(
    ("value", "line"),
    [
        ('{"registraton": "very-secret"}', "ACCOUNTS__REGISTRATON"),
        ('{"registration": "closed"', "ACCOUNTS is not a setting by itself: set ACCOUNTS__"),
        ("{registration: closed}", "ACCOUNTS is not a setting by itself: set ACCOUNTS__"),
    ],
)
def test_a_wrong_section_in_json_is_refused(monkeypatch: pytest.MonkeyPatch, value: str, line: str) -> None:
    [found] = lines(monkeypatch, **SERVERS, ACCOUNTS=value)
    assert found.startswith(line)


def test_a_section_that_is_replaced_in_the_file_is_refused(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.chdir(tmp_path)
    (tmp_path / ".env").write_text('ACCOUNTS=\'{"registration": "closed"}\'\nACCOUNTS=x\n')
    assert lines(monkeypatch, **SERVERS) == [".env, line 2: ACCOUNTS is already set in line 1, to another value"]


def test_a_directory_instead_of_the_file_is_refused(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.chdir(tmp_path)
    (tmp_path / ".env").mkdir()
    assert lines(monkeypatch, **SERVERS) == [".env is a directory, not a file"]


def test_a_misspelled_name_in_a_file_is_refused(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.chdir(tmp_path)
    (tmp_path / ".env").write_text("ACCOUNT__REGISTRATION=closed\nexport HTTPS__DOCS=false\n")
    assert lines(monkeypatch, **SERVERS) == [
        "ACCOUNT__REGISTRATION is not a setting: the nearest is ACCOUNTS__REGISTRATION",
        "HTTPS__DOCS is not a setting: the nearest is HTTP__DOCS",
    ]


def test_a_file_that_cannot_be_read_is_one_line(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.chdir(tmp_path)
    (tmp_path / ".env").write_bytes(b"LOG__LEVEL=\xff\xfe\n")
    [line] = lines(monkeypatch, **SERVERS)
    assert line == ".env: not UTF-8"


@pytest.mark.parametrize(
    ("text", "line"),
    [
        ("ACCOUNTS__REGISTRATION: closed", 1),
        ("LOG__LEVEL=info\n\n  # why\n\nENVIRONMENT production", 5),
        ("ACCOUNTS__REGISTRATION='closed\nLOG__LEVEL=info", 1),
        ("[accounts]\nregistration=closed", 1),
        ("LOG__LEVEL=info\nset ACCOUNTS__REGISTRATION=closed", 2),
        ("ANOTHERS=x\nACCOUNTS__REGISTRATION", 2),
        ("ACCOUNTS__REGISTRATION=closed\r\naccounts__registration=open", 2),
    ],
)
def test_a_line_that_sets_nothing_is_named(
    monkeypatch: pytest.MonkeyPatch,
    tmp_path: Path,
    capfd: pytest.CaptureFixture[str],
    text: str,
    line: int,
) -> None:
    monkeypatch.chdir(tmp_path)
    (tmp_path / ".env").write_text(text)
    [line_printed] = lines(monkeypatch, **SERVERS)
    assert line_printed.startswith(f".env, line {line}: ")
    assert "closed\n" not in line_printed
    assert capfd.readouterr() == ("", "")


def test_lines_of_other_programs_in_the_file_are_ignored(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    """A name without a value, or twice; and a byte order mark hides no setting."""
    monkeypatch.chdir(tmp_path)
    text = "\ufeffACCOUNTS__REGISTRATION=closed\nTHEIRS\nX=1\nX=2\nLOG__LEVEL=error\nlog__level='error'"
    (tmp_path / ".env").write_text(text, "utf-8")
    assert load_with(monkeypatch, SERVERS).accounts.registration == "closed"


@pytest.mark.parametrize("values", [("closed", "open"), ("open", "closed")])
def test_one_setting_in_two_spellings_is_refused_where_they_differ(
    monkeypatch: pytest.MonkeyPatch, values: tuple[str, str]
) -> None:
    names = ("ACCOUNTS__REGISTRATION", "accounts__registration")
    [line] = lines(monkeypatch, **SERVERS, **dict(zip(names, values, strict=True)))
    assert line == f"{names[0]} and {names[1]} are one setting, and are set to different values"
    assert load_with(monkeypatch, dict.fromkeys(names, "closed")).accounts.registration == "closed"
