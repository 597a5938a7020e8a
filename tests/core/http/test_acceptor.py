"""New connections are accepted from the listening socket at once, however many arrive."""

from __future__ import annotations

import asyncio
import errno
import socket

import pytest
import uvloop
from structlog.testing import capture_logs

from partywall.core.http import acceptor
from partywall.core.http.acceptor import Acceptor, listeners
from partywall.testing.conditions import until

MANY = 100


class Made(asyncio.Protocol):
    def __init__(self, made: list[Made]) -> None:
        self._made = made

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        self._made.append(self)


async def _rounds_until_all_are_taken() -> int:
    [listener] = listeners("127.0.0.1", 0)
    made: list[Made] = []
    accepting = Acceptor(listener, lambda: Made(made), MANY)
    clients = [socket.create_connection(("127.0.0.1", accepting.port)) for _ in range(MANY)]
    rounds = 0
    async with asyncio.timeout(60):
        while len(made) < MANY:
            rounds += 1
            await asyncio.sleep(0)
    for client in clients:
        client.close()
    accepting.close()
    return rounds


async def test_waiting_connections_are_accepted_in_a_few_rounds() -> None:
    assert await asyncio.to_thread(uvloop.run, _rounds_until_all_are_taken()) < MANY / 4


async def test_without_free_file_descriptors_it_pauses_and_continues(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(acceptor, "PAUSE_SECONDS", 0.01)
    [listener] = listeners("127.0.0.1", 0)
    made: list[Made] = []
    failures = iter([OSError(errno.EMFILE, "Too many open files"), OSError(errno.ECONNABORTED, "aborted")])

    class Failing(socket.socket):
        def accept(self) -> tuple[socket.socket, object]:
            for failure in failures:
                raise failure
            return super().accept()

    failing = Failing(fileno=listener.detach())
    accepting = Acceptor(failing, lambda: Made(made), MANY)
    with capture_logs() as logs, socket.create_connection(("127.0.0.1", accepting.port)):
        await until(lambda: bool(made))
    assert [each["event"] for each in logs] == ["no_connection_accepted"]
    accepting.close()


def test_a_port_that_is_taken_is_an_error() -> None:
    [taken] = listeners("127.0.0.1", 0)
    taken.listen()
    with pytest.raises(OSError, match="in use"):
        listeners("127.0.0.1", taken.getsockname()[1])
    taken.close()
