"""An invalid value is one line and exit code 2, before any request to a server."""

from __future__ import annotations

from pathlib import Path

import pytest

from partywall.cli import run

WRONG = (
    (("import",), "FOLDER"),
    (("search", "x", "--mode", "magic"), "magic"),
    (("search", "x", "--limit", "0"), "--limit"),
    (("search", "x", "--min-score", "2"), "--min-score"),
    (("eval", "/no/such/folder"), "/no/such/folder"),
    (("eval", "."), "queries.jsonl"),
    (("events", "--after", "x"), "--after"),
    (("login", "--server", "ftp://example.com", "--email", "a@example.com"), "ftp://example.com"),
    (("login",), "--email"),
    (("jobs", "retry", "x"), "integer"),
    (("models", "install", "gpt"), "gpt"),
    (("api", "--workers", "0"), "--workers"),
    (("projects", "list", "--server", "http://h:99999"), "the port must be from 1 to 65535"),
    (("projects", "list", "--server", "h:0"), "the port must be"),
    (("projects", "list", "--server", ""), "not a server URL"),
    (("events", "--after", "-1"), "--after"),
    (("events", "--after", "9" * 20), "--after"),
    (("events", "--after", ""), "--after"),
    (("events", "--types", "nope"), "--types: use patterns such as document.*"),
    (("events", "--types", ""), "--types: use patterns such as"),
    (("import", ""), "the path is empty: use . for the working directory"),
    (("import", "nowhere"), "does not exist"),
    (("import", ".", "--language", "d\ne"), "--language: use a language code such as de"),
    (("import", ".", "--language", ""), "--language"),
    (("import", ".", "--include", ""), "--include and --exclude"),
    (("import", ".", "--prefix", "a\nb"), "--prefix: use one line"),
    (("import", ".", "--prefix", "/"), "--prefix: use names"),
    (("import", ".", "--prefix", "/a"), "--prefix: use names"),
    (("import", ".", "--prefix", "../x"), "--prefix: use names"),
    (("import", ".", "--prefix", "x//y"), "--prefix: use names"),
    (("search", "x", "--filter", "{year: 2025}"), "--filter is not JSON"),
    (("export", "x", "--filter", "[]"), "--filter is not a JSON object"),
    (("migrate", ""), "is not a revision"),
    (("migrate", "--", "-1x"), "'-1x' is not a revision"),
    (("migrate", "--bogus"), "is not a revision"),
    (("migrate", "head@{1}"), "is not a revision"),
    (("serve", "--data-dir", " "), "the path is empty"),
    (("serve", "--host", "a b"), "--host: must be a host name or address"),
    (("api", "--host", "http://h"), "--host: must be a host name or address"),
    (("users", "list", "--data-dir", ""), "the path is empty"),
    (("login", "--email", "a@example.com"), "the password in PARTYWALL_PASSWORD is empty"),
)


@pytest.mark.parametrize(
    ("arguments", "expected"), WRONG, ids=lambda each: " ".join(each) if isinstance(each, tuple) else ""
)
def test_it_is_named_in_one_line(
    arguments: tuple[str, ...],
    expected: str,
    monkeypatch: pytest.MonkeyPatch,
    tmp_path: Path,
    capsys: pytest.CaptureFixture[str],
) -> None:
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("XDG_CONFIG_HOME", str(tmp_path / "config"))
    monkeypatch.setenv("PARTYWALL_PASSWORD", "")
    assert run(arguments) == 2
    printed = capsys.readouterr()
    assert (printed.out, printed.err.count("\n")) == ("", 1)
    assert expected in printed.err
