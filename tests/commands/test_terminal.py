from __future__ import annotations

import json
from datetime import UTC, datetime
from io import BytesIO, TextIOWrapper
from pathlib import Path
from uuid import UUID

import pytest

from partywall import cli
from partywall.client.document_import import source_root
from partywall.client.errors import ApiError, Problem
from partywall.commands import connection, users
from partywall.commands.terminal import password_line, print_json, print_line, print_lines, printable
from partywall.commands.usage_error import UsageError
from partywall.features.accounts.operations import ListedUser

# Colour, title, C1, line ends, right to left, isolate, a tag character, a lone surrogate as in a file's name.
HOSTILE = "\x1b[31mred\x1b]0;title\x07\x9b2J\r\n\x85\u2028\u2029\u202egpj.exe\u2066\U000e0041\udc80\x00\x7f\u200b\tend"


def assert_harmless(shown: str, lines: int = 1) -> None:
    assert shown.endswith("\n")
    assert shown.count("\n") == len(shown.splitlines()) == lines
    assert shown.replace("\n", "").isprintable()


def test_printed_text_has_no_control_characters(capsys: pytest.CaptureFixture[str]) -> None:
    assert len(printable(HOSTILE)) == len(HOSTILE)
    print_line(HOSTILE)
    assert_harmless(capsys.readouterr().out)
    print_line(HOSTILE, err=True)
    assert_harmless(capsys.readouterr().err)
    print_lines(f"one\n{HOSTILE.replace(chr(10), ' ')}")
    assert_harmless(capsys.readouterr().out, lines=2)


def test_json_means_the_same(capsys: pytest.CaptureFixture[str]) -> None:
    value = {"title": HOSTILE, "emoji": "\U0001f600"}
    print_json(json.dumps(value, ensure_ascii=False))
    shown = capsys.readouterr().out
    assert_harmless(shown)
    assert json.loads(shown) == value


def test_accounts_are_listed_in_one_line_each(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    async def listed(_: Path) -> list[ListedUser]:
        return [
            ListedUser(UUID(int=n), HOSTILE, HOSTILE, False, True, datetime(2026, 1, 1, tzinfo=UTC)) for n in (1, 2)
        ]

    monkeypatch.setattr(users, "_list", listed)
    users.list_users(Path())
    shown = capsys.readouterr().out
    assert_harmless(shown, lines=2)
    assert shown.count("unverified  disabled") == 2


def test_a_password_is_read_as_one_line(monkeypatch: pytest.MonkeyPatch) -> None:
    for given, read in ((b" a b\r\nrest", " a b"), ("ä\n".encode(), "ä"), (b"", "")):
        monkeypatch.setattr("sys.stdin", TextIOWrapper(BytesIO(given)))
        assert password_line() == read
    monkeypatch.setattr("sys.stdin", TextIOWrapper(BytesIO(b"\xff\xfe\n")))
    with pytest.raises(UsageError, match="UTF-8"):
        password_line()


def test_a_servers_message_is_one_line(capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(UsageError) as refusal, connection.failures():
        raise ApiError(422, Problem(detail=HOSTILE))

    assert_harmless(f"{refusal.value.message}\n")
    assert cli.run(["users", "enable", f"--{HOSTILE}"]) == 2
    assert_harmless(capsys.readouterr().err)


@pytest.mark.parametrize(
    "arguments",
    [
        ["import", "examples", "--project", "\udcff\udcfe"],
        ["search", "\udcff"],
        ["login", "--email", "\udcff@x.de", "--server", "http://127.0.0.1:1"],
        ["serve", "--data-dir=/no/such/\udcff"],
        ["\udcff"],
        ["import", "examples", "--prefix=\udcff"],
        ["projects", "create", "a\ud800b"],
    ],
)
def test_an_argument_that_is_not_utf_8_is_refused_in_one_line(
    capsys: pytest.CaptureFixture[str], arguments: list[str]
) -> None:
    assert cli.run(arguments) == 2
    message = capsys.readouterr().err
    assert_harmless(message)
    assert "is not UTF-8" in message


def test_a_folder_that_is_imported_may_have_any_name(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    folder = tmp_path / "\udcff"
    folder.mkdir()
    assert cli.run(["import", str(folder), "--project", "X"]) == 2
    assert "nothing to import" in capsys.readouterr().err
    assert source_root(folder).startswith("\ufffd#")
    assert cli.run(["import", "examples", "--project", str(folder)]) == 2
    assert "is not UTF-8" in capsys.readouterr().err


@pytest.mark.parametrize(
    ("options", "skipped"),
    [
        (["--exclude", "*"], "skipped 7 (excluded): 0.md, 1.md, 2.md, 3.md, 4.md and 2 more"),
        (["--include", "*.txt"], "skipped 7 (not included): 0.md, "),
        (["--exclude", "*.md", "--dry-run"], "skipped 7 (excluded): 0.md, "),
        (["--exclude", "*.md"], "skipped 1 (.py files are source code): a.py"),
    ],
)
def test_an_import_of_nothing_names_what_is_skipped(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], options: list[str], skipped: str
) -> None:
    for name in (*(f"{number}.md" for number in range(7)), "a.py"):
        (tmp_path / name).write_text("text")
    assert cli.run(["import", str(tmp_path), "--project", "X", *options]) == 2
    message = capsys.readouterr().err
    assert "nothing to import" in message
    assert "no .txt" not in message
    assert skipped in message
    assert message.count("\n") == 1
