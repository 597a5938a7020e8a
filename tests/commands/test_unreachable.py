"""A database that cannot be used is one line and exit code 2, in every command and for every cause."""

from __future__ import annotations

from pathlib import Path

import pytest
from pydantic import SecretStr
from sqlalchemy import make_url

from partywall.cli import run
from partywall.commands.cache import refuse_wrong_cache
from partywall.settings import Settings
from partywall.testing.engines import DatabaseUrls
from tests.server import free_port

SERVING = ("api", "worker")
# The owner's commands, with arguments that would change nothing.
OWNING = (
    ("migrate", "nosuchrevision"),
    ("users", "list"),
    ("users", "disable", "nobody@example.com"),
    ("keys", "rotate"),
    ("quotas", "recount"),
    ("jobs", "list"),
)
WRONG = {
    "password": "password authentication failed",
    "database": "does not exist",
    "host": "nosuch.invalid",
    "port": "connection refused",
    "port number": "DATABASE__",
    "port word": "is not a valid URL",
    "scheme": "is not a valid URL",
    "bracket": "is not a valid URL",
    "sign in the password": "is not a valid URL",
    "sslmode": "sslmode",
    "certificate": "no such file",
    "parameter": "nosuchparameter",
    "empty": "is not a valid URL",
    "another service": "DATABASE__",
}


def broken_url(url: str, what: str, cache: str = "redis://127.0.0.1") -> str:
    """A URL whose password the test can find in the message."""
    there = make_url(url).set(drivername="postgresql")
    elsewhere = there.set(host="127.0.0.1", port=free_port()).difference_update_query(["host"])
    made = {
        "password": there.set(password="very-secret"),
        "database": there.set(database="nosuchdatabase"),
        "host": elsewhere.set(host="nosuch.invalid"),
        "port": elsewhere,
        "port number": elsewhere.set(port=99999),
        "sslmode": there.update_query_dict({"sslmode": "perhaps"}),
        "certificate": elsewhere.update_query_dict({"sslmode": "verify-full", "sslrootcert": "/nosuch"}),
        "parameter": there.update_query_dict({"nosuchparameter": "1"}),
        "another service": there.set(host="127.0.0.1", port=make_url(cache).port).difference_update_query(["host"]),
    }
    texts = {
        "port word": "postgresql://app:very-secret@127.0.0.1:port/wall",
        "scheme": "mysql://app:very-secret@127.0.0.1/wall",
        "bracket": "postgresql://app:very-secret@[::1/wall",
        "sign in the password": "postgresql://app:a@very-secret/b@127.0.0.1/wall",
        "empty": "",
    }
    return texts[what] if what in texts else made[what].render_as_string(hide_password=False)


@pytest.fixture(autouse=True)
def servers(monkeypatch: pytest.MonkeyPatch, settings: Settings, database: DatabaseUrls, tmp_path: Path) -> None:
    assert settings.cache.url is not None
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("DATABASE__ENGINE", "server")
    monkeypatch.setenv("DATABASE__URL", database.runtime)
    monkeypatch.setenv("DATABASE__OWNER_URL", database.owner)
    monkeypatch.setenv("CACHE__ENGINE", "server")
    monkeypatch.setenv("CACHE__URL", settings.cache.url.get_secret_value())


def refused(capsys: pytest.CaptureFixture[str], *command: str) -> str:
    assert run(command) == 2
    message = capsys.readouterr().err
    assert message.count("\n") == 1, message
    assert "very-secret" not in message
    assert "Traceback" not in message
    return message


@pytest.mark.parametrize("what", WRONG)
def test_each_cause_is_one_line(
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
    settings: Settings,
    database: DatabaseUrls,
    what: str,
) -> None:
    assert settings.cache.url is not None
    cache = settings.cache.url.get_secret_value()
    monkeypatch.setenv("DATABASE__URL", broken_url(database.runtime, what, cache))
    message = refused(capsys, "api")
    assert WRONG[what] in message
    assert "DATABASE__URL" in message
    monkeypatch.setenv("DATABASE__URL", database.runtime)
    monkeypatch.setenv("DATABASE__OWNER_URL", broken_url(database.owner, what, cache))
    assert WRONG[what] in refused(capsys, "users", "list")


@pytest.mark.parametrize("command", SERVING)
def test_each_process_reports_an_unusable_database(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str], database: DatabaseUrls, command: str
) -> None:
    monkeypatch.setenv("DATABASE__URL", broken_url(database.runtime, "password"))
    assert "DATABASE__URL" in refused(capsys, command)
    monkeypatch.setenv("DATABASE__URL", database.runtime)
    monkeypatch.setenv("DATABASE__DIRECT_URL", broken_url(database.runtime, "port"))
    assert "DATABASE__DIRECT_URL" in refused(capsys, command)


CACHES = {
    "port word": "redis://:very-secret@127.0.0.1:port",
    "scheme": "http://very-secret@127.0.0.1",
    "password": "{cache}",
    "empty": "",
}


@pytest.mark.parametrize("what", CACHES)
def test_an_unusable_cache_is_one_line(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str], settings: Settings, what: str
) -> None:
    assert settings.cache.url is not None
    before, _, after = settings.cache.url.get_secret_value().rpartition("@")
    wrong = f"{before.partition('//')[0]}//:very-secret@{after}"
    monkeypatch.setenv("CACHE__URL", CACHES[what].format(port=free_port(), cache=wrong))
    assert "CACHE__URL" in refused(capsys, "api", "--port", str(free_port()))
    if what in ("port word", "scheme", "empty"):
        assert "CACHE__URL" in refused(capsys, "users", "list")


@pytest.mark.parametrize("url", ["redis://127.0.0.1:{port}", "redis://nosuch.invalid", "unix:///nosuch/valkey.sock"])
async def test_an_unreachable_cache_does_not_prevent_a_start(url: str) -> None:
    await refuse_wrong_cache(SecretStr(url.format(port=free_port())))


def test_a_missing_url_is_one_line(monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> None:
    for name in ("DATABASE__ENGINE", "DATABASE__URL", "DATABASE__OWNER_URL", "CACHE__ENGINE", "CACHE__URL"):
        monkeypatch.delenv(name)
    for command in SERVING:
        assert "DATABASE__ENGINE and CACHE__ENGINE are not set" in refused(capsys, command)


@pytest.mark.parametrize("command", OWNING, ids=" ".join)
def test_each_owner_command_reports_an_unusable_database(
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
    database: DatabaseUrls,
    command: tuple[str, ...],
) -> None:
    monkeypatch.setenv("DATABASE__OWNER_URL", broken_url(database.owner, "password"))
    assert "DATABASE__OWNER_URL" in refused(capsys, *command)


def test_a_migration_needs_the_name_of_the_runtime_role(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str], database: DatabaseUrls
) -> None:
    owner = make_url(database.owner)
    monkeypatch.setenv("PGUSER", owner.username or "")
    monkeypatch.setenv("PGPASSWORD", owner.password or "")
    monkeypatch.setenv("DATABASE__URL", f"postgresql:///{owner.database}?host={owner.query['host']}")
    assert "DATABASE__URL has no role" in refused(capsys, "migrate")
