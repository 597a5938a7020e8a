"""Bytes that a client sends after a request for an endless stream."""

from __future__ import annotations

from dataclasses import dataclass

import pytest

from partywall.testing.conditions import until
from partywall.testing.users import Users
from tests.features.live.server import Serving
from tests.features.live.wire import stream, upgrade, wired

HEALTH = b"GET /healthz HTTP/1.1\r\nHost: here\r\n\r\n"
BEHIND = {
    "a request": HEALTH,
    "many requests": HEALTH * 100,
    "no request": b"\x00\x01\x02",
    "a body": b"POST /api/v1/projects HTTP/1.1\r\nHost: here\r\nContent-Length: 200000\r\n\r\n" + b"x" * 200_000,
}


@dataclass(slots=True)
class Log:
    """The log output of the process."""

    capture: pytest.CaptureFixture[bytes]
    written: bytes = b""

    def shows(self, text: bytes) -> bool:
        self.written += b"".join(self.capture.readouterr())
        return text in self.written


@pytest.fixture
def log(capfdbinary: pytest.CaptureFixture[bytes]) -> Log:
    return Log(capfdbinary)


@pytest.mark.parametrize("behind", BEHIND)
async def test_bytes_behind_an_open_stream_end_it(users: Users, server: Serving, log: Log, behind: str) -> None:
    owner = await users.person()
    async with wired(server) as wire:
        wire.send(stream(await owner.project(), owner.token))
        assert (await wire.until(b"\r\n\r\n")).startswith(b"HTTP/1.1 200 ")
        await until(lambda: server.resources.tailers.followed == 1)
        wire.send(BEHIND[behind])
        await until(lambda: log.shows(b"/events"))
        assert server.resources.tailers.followed == 0
    assert not log.shows(b"Traceback")


@pytest.mark.parametrize("behind", [*BEHIND, "an upgrade"])
async def test_who_leaves_is_noticed_whatever_came_with_the_request(
    users: Users, server: Serving, log: Log, behind: str
) -> None:
    owner = await users.person()
    project = await owner.project()
    async with wired(server) as wire:
        wire.send(stream(project, owner.token) + BEHIND.get(behind, upgrade(project)))
        if behind in ("a request", "many requests"):
            await wire.until(b"HTTP/1.1 200 ")
    await until(lambda: log.shows(b"/events"))
    assert server.resources.tailers.followed == 0
    assert not log.shows(b"Traceback")


async def test_requests_behind_one_another_are_answered_in_turn(users: Users, server: Serving) -> None:
    async with wired(server) as wire:
        wire.send(HEALTH * 3)
        for _ in range(3):
            assert (await wire.until(b"\r\n\r\n")).startswith(b"HTTP/1.1 200 ")
            await wire.until(b"}")
