from __future__ import annotations

import pytest

from partywall.commands.configuration import load_settings
from partywall.commands.refusal import Refusal

SERVERS = {
    "DATABASE__ENGINE": "server",
    "DATABASE__URL": "postgresql://app:very-secret@db/partywall",
    "CACHE__ENGINE": "server",
    "CACHE__URL": "redis://cache",
}


@pytest.fixture(autouse=True)
def bare(monkeypatch: pytest.MonkeyPatch, tmp_path_factory: pytest.TempPathFactory) -> None:
    monkeypatch.chdir(tmp_path_factory.mktemp("empty"))


def lines(monkeypatch: pytest.MonkeyPatch, **environment: str) -> list[str]:
    for name, value in environment.items():
        monkeypatch.setenv(name, value)
    with pytest.raises(Refusal) as refusal:
        load_settings()
    assert "very-secret" not in refusal.value.message
    assert refusal.value.exit_code == 2
    return refusal.value.message.splitlines()


def test_what_is_missing_is_named(monkeypatch: pytest.MonkeyPatch) -> None:
    assert lines(monkeypatch) == ["DATABASE__ENGINE is not set", "CACHE__ENGINE is not set"]
    assert lines(monkeypatch, DATABASE__URL="postgresql://x") == [
        "DATABASE__ENGINE is not set",
        "CACHE__ENGINE is not set",
    ]


def test_each_wrong_value_has_a_line_that_does_not_repeat_it(monkeypatch: pytest.MonkeyPatch) -> None:
    found = lines(
        monkeypatch,
        **SERVERS,
        DATABASE__POOL_SIZE="very-secret",
        ACCOUNTS__LOCKOUT="very-secret",
        LOG__LEVEL="loud",
        DATABASE__TYPO="1",
    )
    assert sorted(line.partition(":")[0] for line in found) == [
        "ACCOUNTS__LOCKOUT",
        "DATABASE__POOL_SIZE",
        "DATABASE__TYPO",
        "LOG__LEVEL",
    ]


def test_a_rule_over_several_settings_speaks_for_itself(monkeypatch: pytest.MonkeyPatch) -> None:
    [line] = lines(monkeypatch, **SERVERS, ENVIRONMENT="production")
    assert "SECRET_KEY" in line


def test_an_abbreviation_stays_as_it_is_written(monkeypatch: pytest.MonkeyPatch) -> None:
    [line] = lines(monkeypatch, **SERVERS, AGENTS__BASE_URL="ftp://x")
    assert line.startswith("AGENTS__BASE_URL: URL scheme should be")


def test_a_section_that_is_no_object_is_one_line(monkeypatch: pytest.MonkeyPatch) -> None:
    [line] = lines(monkeypatch, DATABASE="{")
    assert "database" in line


def test_values_win_over_the_environment(monkeypatch: pytest.MonkeyPatch) -> None:
    for name, value in (SERVERS | {"DATABASE__POOL_SIZE": "3"}).items():
        monkeypatch.setenv(name, value)
    settings = load_settings({"database": {"engine": "embedded"}})
    assert (settings.database.engine, settings.database.pool_size) == ("embedded", 3)
