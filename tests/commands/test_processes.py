from __future__ import annotations

import socket
from collections.abc import Iterator

import pytest

from partywall.cli import run
from partywall.testing.engines import DatabaseUrls
from tests.server import free_port


@pytest.fixture(autouse=True)
def without_owner(servers: None, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("DATABASE__OWNER_URL")


SMTP = {"MAIL__ENGINE": "smtp", "MAIL__HOST": "127.0.0.1", "MAIL__FROM": "us@example.com"}
OPENAI = {"EMBEDDINGS__ENGINE": "openai", "EMBEDDINGS__URL": "http://localhost:1/v1", "EMBEDDINGS__MODEL": "m"}


LAB = {"AGENTS__SERVERS__LAB__URL": "http://localhost:1/v1"}


@pytest.mark.parametrize(
    ("changed", "names"),
    [
        ({"CACHE__ENGINE": "embedded", "CACHE__URL": None}, "CACHE__URL"),
        ({"CACHE__URL": "http://very-secret@cache"}, "CACHE__URL"),
        ({"DATABASE__ENGINE": "embedded", "DATABASE__URL": None}, "DATABASE__URL"),
        ({"DATABASE__DIRECT_URL": "postgresql://app:very-secret@127.0.0.1:1/wall"}, "DATABASE__DIRECT_URL"),
        ({"EMBEDDINGS__ENGINE": "openai"}, "EMBEDDINGS__URL"),
        ({**OPENAI, "EMBEDDINGS__DIMENSION": "4001"}, "EMBEDDINGS__DIMENSION"),
        (OPENAI, "EMBEDDINGS__DIMENSION is not set, and the embeddings endpoint does not answer"),
        ({"EMBEDDINGS__ENGINE": "minilm"}, "partywall models install minilm"),
        ({"EMBEDDINGS__ENGINE": "e5"}, "partywall models install e5"),
        ({"DATA_DIR": "/proc/nowhere"}, "DATA_DIR"),
        ({**SMTP, "MAIL__CA_FILE": "/proc/nowhere"}, "MAIL__CA_FILE"),
        ({"MAIL__ENGINE": "smtp"}, "MAIL__HOST"),
        ({"ENVIRONMENT": "production"}, "SECRET_KEY"),
        ({"AGENTS__MODULES": "nosuchmod"}, "AGENTS__MODULES names nosuchmod"),
        ({"AGENTS__MODULES": "json"}, "AGENTS__MODULES names json"),
        ({"AGENTS__MODULES": ".relative"}, "AGENTS__MODULES: must be names of Python modules"),
        ({**LAB, "AGENTS__MODELS__NOSUCH": "lab:m"}, "AGENTS__MODELS__NOSUCH: no agent has this name: use one of"),
        ({**LAB, "AGENTS__MODEL": "lab:m", "AGENTS__FALLBACKS": "lap:m"}, "AGENTS__SERVERS__LAP__URL"),
    ],
)
@pytest.mark.parametrize("command", ["api", "worker"])
def test_an_operators_mistake_is_one_line(
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
    command: str,
    changed: dict[str, str | None],
    names: str,
) -> None:
    for name, value in changed.items():
        if value is None:
            monkeypatch.delenv(name)
        else:
            monkeypatch.setenv(name, value)
    assert run([command]) == 2
    message = capsys.readouterr().err
    assert names in message
    assert message.count("\n") == 1
    assert "very-secret" not in message


@pytest.fixture
def busy_port() -> Iterator[int]:
    port = free_port()
    with socket.create_server(("127.0.0.1", port)):
        yield port


def test_a_busy_port_is_one_line(busy_port: int, capsys: pytest.CaptureFixture[str]) -> None:
    assert run(["api", "--port", str(busy_port)]) == 2
    message = capsys.readouterr().err
    assert f"port {busy_port}" in message
    assert message.count("\n") == 1


def test_the_owner_of_the_tables_is_refused(
    monkeypatch: pytest.MonkeyPatch, database: DatabaseUrls, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setenv("DATABASE__URL", database.owner)
    assert run(["worker"]) == 2
    assert "owns tables" in capsys.readouterr().err
