"""Real connections on loopback: the address that was validated is the one that is connected to."""

from __future__ import annotations

import asyncio
import ssl
import threading
from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from pathlib import Path

import httpx2
import pytest

from partywall.core.outgoing.destinations import Destinations, RefusedDestinationError
from partywall.core.outgoing.endpoints import shared_tls
from partywall.core.outgoing.guarded_transport import Outgoing
from partywall.core.outgoing.resolver import Resolver
from tests.core.outgoing.certificates import server_context

# 127.0.0.1 stands for a public address, 127.0.0.2 for one that must not be reached.
LOOSE = Destinations.of(plain_http=True, networks=["127.0.0.1/32"], ports=[])
OK = b"HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok"


@dataclass
class Names:
    """A name server that gives its answers in turn and repeats the last one."""

    answers: list[list[str]]
    asked: list[tuple[str, int]] = field(default_factory=list)

    async def __call__(self, host: str, port: int) -> list[str]:
        self.asked.append((host, port))
        return self.answers.pop(0) if len(self.answers) > 1 else self.answers[0]


@dataclass
class Server:
    port: int = 0
    answer: bytes = OK
    keeps: bool = False
    requests: list[str] = field(default_factory=list)

    async def serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        try:
            while True:
                self.requests.append((await reader.readuntil(b"\r\n\r\n")).decode())
                writer.write(self.answer)
                await writer.drain()
                if not self.keeps:
                    break
        except (ConnectionError, asyncio.IncompleteReadError):
            pass
        finally:
            writer.close()


@asynccontextmanager
async def serving(
    host: str = "127.0.0.1", port: int = 0, context: ssl.SSLContext | None = None
) -> AsyncIterator[Server]:
    found = Server()
    server = await asyncio.start_server(found.serve, host, port, ssl=context)
    found.port = server.sockets[0].getsockname()[1]
    try:
        yield found
    finally:
        server.close()


@asynccontextmanager
async def opened(*answers: Sequence[str], ca_file: Path | None = None) -> AsyncIterator[tuple[Outgoing, Names]]:
    names = Names([list(each) for each in answers])
    outgoing = Outgoing.open(LOOSE, names, shared_tls(ca_file))
    async with outgoing.client:
        yield outgoing, names


async def test_a_connection_uses_the_validated_address() -> None:
    async with serving() as server, opened(["127.0.0.1"]) as (outgoing, names):
        answer = await outgoing.client.get(f"http://hooks.example:{server.port}/a?b=c")
    assert (answer.status_code, answer.text) == (200, "ok")
    assert names.asked == [("hooks.example", server.port)]
    assert server.requests[0].startswith("GET /a?b=c HTTP/1.1\r\n")
    assert f"Host: hooks.example:{server.port}\r\n" in server.requests[0]


async def test_a_name_that_changes_after_validation_is_refused() -> None:
    """DNS rebinding: public when it is validated, private when it is called."""
    async with serving("127.0.0.2") as inner, opened(["127.0.0.1"], ["127.0.0.2"]) as (outgoing, _):
        url = f"http://rebinding.example:{inner.port}/"
        await outgoing.validate(url)
        with pytest.raises(RefusedDestinationError):
            await outgoing.client.get(url)
    assert inner.requests == []


async def test_a_name_is_looked_up_once_per_call() -> None:
    async with serving() as server, opened(["127.0.0.1"], ["127.0.0.2"]) as (outgoing, names):
        assert (await outgoing.client.get(f"http://a.example:{server.port}/")).status_code == 200
        assert len(names.asked) == 1
        with pytest.raises(RefusedDestinationError):
            await outgoing.client.get(f"http://a.example:{server.port}/")


async def test_no_connection_is_reused_without_validation() -> None:
    async with serving() as server, opened(["127.0.0.1"], ["10.0.0.1"]) as (outgoing, _):
        server.keeps = True
        await outgoing.client.get(f"http://a.example:{server.port}/")
        with pytest.raises(RefusedDestinationError):
            await outgoing.client.get(f"http://a.example:{server.port}/")


@pytest.mark.parametrize("addresses", [["127.0.0.1", "10.0.0.1"], ["10.0.0.1", "127.0.0.1"], ["::ffff:127.0.0.1"]])
async def test_one_bad_address_among_several_is_enough(addresses: list[str]) -> None:
    async with serving() as server, opened(addresses) as (outgoing, _):
        with pytest.raises(RefusedDestinationError):
            await outgoing.client.get(f"http://a.example:{server.port}/")
    assert server.requests == []


async def test_the_next_address_is_tried_where_one_is_dead() -> None:
    loose = Destinations.of(plain_http=True, networks=["127.0.0.0/8"], ports=[])
    async with serving() as server:
        outgoing = Outgoing.open(loose, Names([["127.0.0.9", "127.0.0.1"]]))
        async with outgoing.client:
            assert (await outgoing.client.get(f"http://a.example:{server.port}/")).status_code == 200


@pytest.mark.parametrize(
    "spelling",
    [
        "127.0.0.2",
        "127.0.0.2.",
        "127.2",
        "0x7f.2",
        "0x7f000002",
        "2130706434",
        "017700000002",
        "[::ffff:127.0.0.2]",
        "[::ffff:7f00:2]",
        "127\u30020\u30020\u30022",
        "LOCALHOST",
        "localhost.",
    ],
)
async def test_no_spelling_of_a_private_address_is_called(spelling: str) -> None:
    resolver = Resolver()
    outgoing = Outgoing.open(LOOSE, resolver)
    async with serving("127.0.0.2") as inner, outgoing.client:
        with pytest.raises((RefusedDestinationError, httpx2.NetworkError)):
            await outgoing.client.get(f"http://{spelling}:{inner.port}/")
    resolver.close()
    assert inner.requests == []


@pytest.mark.parametrize("follows", [False, True])
async def test_a_redirect_is_not_followed_and_would_be_validated(follows: bool) -> None:
    async with (
        serving("127.0.0.2") as inner,
        serving() as server,
        opened(["127.0.0.1"], ["127.0.0.2"]) as (outgoing, _),
    ):
        target = f"http://inner.example:{inner.port}/secret"
        server.answer = f"HTTP/1.1 302 Found\r\nLocation: {target}\r\nContent-Length: 0\r\n\r\n".encode()
        url = f"http://a.example:{server.port}/"
        if follows:
            with pytest.raises(RefusedDestinationError):
                await outgoing.client.get(url, follow_redirects=True)
        else:
            assert (await outgoing.client.get(url)).status_code == 302
    assert inner.requests == []


async def test_the_client_itself_refuses_forbidden_urls() -> None:
    async with opened(["127.0.0.1"]) as (outgoing, names):
        for url in ("http://user:pw@a.example/", "http://a.example:22/", "ftp://a.example/"):
            with pytest.raises(RefusedDestinationError):
                await outgoing.client.get(url)
    assert names.asked == []


async def test_a_certificate_is_checked_for_the_name_and_not_for_the_address(tmp_path: Path) -> None:
    context, trusted = server_context(tmp_path, "hooks.example")
    async with serving(context=context) as server:
        async with opened(["127.0.0.1"], ca_file=trusted) as (outgoing, _):
            answer = await outgoing.client.get(f"https://hooks.example:{server.port}/")
            assert answer.status_code == 200
            with pytest.raises(httpx2.NetworkError, match=r"(?i)certificate"):
                await outgoing.client.get(f"https://other.example:{server.port}/")
        async with opened(["127.0.0.1"]) as (outgoing, _):
            with pytest.raises(httpx2.NetworkError, match=r"(?i)certificate"):
                await outgoing.client.get(f"https://hooks.example:{server.port}/")


async def test_failures_are_httpx_errors() -> None:
    async with serving() as server, opened(["127.0.0.1"]) as (outgoing, _):
        port = server.port
        server.answer = b"SSH-2.0-OpenSSH_9.9\r\n"
        with pytest.raises(httpx2.ProtocolError):
            await outgoing.client.get(f"http://a.example:{port}/")
        server.answer = OK.replace(b"2", b"20")
        with pytest.raises(httpx2.ProtocolError):
            await outgoing.client.get(f"http://a.example:{port}/")
    async with opened(["127.0.0.1"]) as (outgoing, _):
        with pytest.raises(httpx2.NetworkError):
            await outgoing.client.get(f"http://a.example:{port}/")


async def test_an_unknown_name_is_reported() -> None:
    resolver = Resolver()
    outgoing = Outgoing.open(LOOSE, resolver)
    async with outgoing.client:
        with pytest.raises(RefusedDestinationError, match="cannot be resolved"):
            await outgoing.validate("https://nobody.invalid/")
        with pytest.raises(httpx2.NetworkError):
            await outgoing.client.get("https://nobody.invalid/")
    resolver.close()


async def test_a_proxy_from_the_environment_is_not_used(monkeypatch: pytest.MonkeyPatch) -> None:
    async with serving("127.0.0.2") as proxy, serving() as server:
        for name in ("HTTP_PROXY", "http_proxy", "ALL_PROXY"):
            monkeypatch.setenv(name, f"http://127.0.0.2:{proxy.port}")
        async with opened(["127.0.0.1"]) as (outgoing, _):
            assert (await outgoing.client.get(f"http://a.example:{server.port}/")).status_code == 200
    assert proxy.requests == []


async def test_names_are_looked_up_on_threads_of_their_own(monkeypatch: pytest.MonkeyPatch) -> None:
    """A name server that hangs must not use up the loop's own threads, which read files."""
    hang = threading.Event()

    def slow(*_: object, **__: object) -> list[object]:
        hang.wait(60)
        return [(0, 0, 0, "", ("127.0.0.1", 80))]

    monkeypatch.setattr("socket.getaddrinfo", slow)
    resolver = Resolver()
    async with asyncio.TaskGroup() as group:
        waiting = [group.create_task(resolver("slow.example", 80)) for _ in range(20)]
        async with asyncio.timeout(60):
            await asyncio.to_thread(lambda: None)
        hang.set()
    assert waiting[0].result() == ["127.0.0.1"]
    resolver.close()
