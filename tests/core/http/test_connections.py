"""What one connection may send, how long it may take, and how many connections there may be."""

from __future__ import annotations

import asyncio
from contextlib import AsyncExitStack, suppress
from uuid import uuid4

import pytest

from partywall.core.http import connection_limits, connections, unread_body
from partywall.core.http.address_limiter import AT_ONCE
from partywall.core.http.request_head import HEADER_BYTES, LINE_BYTES, MOST_HEADERS, URL_BYTES
from partywall.core.http.request_progress import FRAMING_BYTES, HEAD_BYTES, Part, Progress
from partywall.settings import Settings
from partywall.testing.users import Users
from tests.core.http.bytes import PROJECTS, answer_on, ask, bearer, documents, head
from tests.core.http.conftest import PER_ADDRESS
from tests.features.live.server import Serving, serve
from tests.features.live.sockets import opened
from tests.features.live.test_sockets import greeting
from tests.features.live.test_streams import until
from tests.features.live.wire import Wire, wired

HEALTH = head("GET", "/healthz")
MALFORMED = {
    "a length beside chunks": head("POST", PROJECTS, "Content-Length: 5", "Transfer-Encoding: chunked") + b"0\r\n\r\n",
    "two lengths": head("POST", PROJECTS, "Content-Length: 5", "Content-Length: 6") + b"hello",
    "a length that is none": head("POST", PROJECTS, "Content-Length: +5"),
    "chunks twice over": head("POST", PROJECTS, "Transfer-Encoding: chunked, identity"),
    "no colon": b"GET /healthz HTTP/1.1\r\nHost here\r\n\r\n",
    "a name with a blank": b"GET /healthz HTTP/1.1\r\nHost : here\r\n\r\n",
    "a folded line": b"GET /healthz HTTP/1.1\r\nX: a\r\n b\r\nHost: here\r\n\r\n",
    "no version": b"GET /healthz\r\n\r\n",
    "a version to come": b"GET /healthz HTTP/9.9\r\n\r\n",
    "a method of our own": b"OPEN /healthz HTTP/1.1\r\n\r\n",
    "no HTTP": b"\x16\x03\x01\x02\x00\x01\x00\x01\xfc\x03\x03",
    "a null in a value": b"GET /healthz HTTP/1.1\r\nX: a\x00b\r\n\r\n",
    "a bare line feed": b"GET /healthz HTTP/1.1\nHost: here\r\n\r\n",
    "a size that is none": head("POST", PROJECTS, "Transfer-Encoding: chunked") + b"zz\r\nhello\r\n",
}
TOO_LARGE = {
    "a long URL": (head("GET", f"/{'x' * URL_BYTES}"), 414, "url_too_long"),
    "a long query": (head("GET", f"/healthz?{'x' * URL_BYTES}"), 414, "url_too_long"),
    "a long line": (head("GET", "/healthz", f"X: {'x' * LINE_BYTES}"), 431, "headers_too_large"),
    "a long name": (head("GET", "/healthz", f"{'x' * LINE_BYTES}: x"), 431, "headers_too_large"),
    "long headers": (head("GET", "/healthz", *[f"X: {'x' * 4000}"] * (HEADER_BYTES // 4000 + 1)), 431,
                     "headers_too_large"),
    "many headers": (head("GET", "/healthz", *["X: x"] * MOST_HEADERS), 431, "headers_too_large"),
    "many parameters": (head("GET", f"/healthz?{'a&' * 200}"), 400, "bad_request"),
    "an endless URL": (b"GET /" + b"x" * (HEAD_BYTES + 1), 414, "url_too_long"),
    "a URL of a megabyte": (head("GET", f"/{'x' * 1_000_000}"), 414, "url_too_long"),
    "a query of a megabyte": (head("GET", f"/healthz?q={'x' * 1_000_000}"), 414, "url_too_long"),
    "an endless line": (b"GET / HTTP/1.1\r\nX: " + b"x" * HEAD_BYTES, 431, "headers_too_large"),
    "endless headers": (b"GET / HTTP/1.1\r\n" + b"X: x\r\n" * (HEAD_BYTES // 6), 431, "headers_too_large"),
    "endless empty lines": (b"\r\n" * HEAD_BYTES, 431, "headers_too_large"),
}  # fmt: skip


@pytest.mark.parametrize("name", MALFORMED)
async def test_malformed_requests_are_reported(server: Serving, name: str) -> None:
    async with wired(server) as wire:
        wire.send(MALFORMED[name])
        answer = await answer_on(wire)
        assert answer.status in {400, 401}
        if answer.status == 400:
            assert answer.code == "malformed_request"
            assert answer.headers["connection"] == "close"
        assert await wire.rest() == b"" or answer.status == 401


@pytest.mark.parametrize("name", TOO_LARGE)
async def test_a_head_has_limits(server: Serving, name: str) -> None:
    sent, status, code = TOO_LARGE[name]
    answer = await ask(server, sent)
    assert (answer.status, answer.code) == (status, code)


async def test_a_request_names_one_host(server: Serving) -> None:
    for hosts in ([], ["Host: here", "Host: here"], ["Host: here", "host: there"], ["Host: he re"], ["Host: a/b"]):
        asked = "\r\n".join(["GET /healthz HTTP/1.1", *hosts, "", ""]).encode()
        answer = await ask(server, asked)
        assert (answer.status, answer.code) == (400, "bad_request"), hosts
    for asked in (b"GET /healthz HTTP/1.0\r\n\r\n", head("GET", "/healthz"), b"GET /healthz HTTP/1.1\r\nHost:\r\n\r\n"):
        assert (await ask(server, asked)).status == 200


async def test_a_head_just_within_the_limits_is_served(server: Serving) -> None:
    lines = [f"X{n}: {'x' * 3000}" for n in range(9)] + ["X: x"] * (MOST_HEADERS - 20)
    assert (await ask(server, head("GET", f"/healthz?{'x' * (URL_BYTES - 100)}", *lines))).status == 200
    assert (await ask(server, b"\r\n\r\n" + HEALTH)).status == 200


async def test_an_endless_head_is_cut_off(server: Serving) -> None:
    """Also one that never ends, on a connection that has been served."""
    async with wired(server) as wire:
        wire.send(HEALTH)
        assert (await answer_on(wire)).status == 200
        wire.send(b"GET / HTTP/1.1\r\nX: ")
        with suppress(ConnectionError):
            await wire.insist(b"x" * 100_000, 10)
        assert (await answer_on(wire)).code == "headers_too_large"


async def test_chunk_framing_has_a_limit(users: Users, server: Serving) -> None:
    owner = await users.person()
    request_head = head(
        "POST", PROJECTS, "Transfer-Encoding: chunked", "Content-Type: application/json", bearer(owner.token)
    )
    for endless in (
        b"1;" + b"x" * (2 * FRAMING_BYTES + 300_000),
        b"1;%b\r\n{\r\n" % (b"x" * 3000) * 200,
        b"0\r\n" + b"X: x\r\n" * 100_000,
        b"2\r\n{}\r\n0\r\nX: " + b"x" * 500_000,
    ):
        async with wired(server) as wire:
            wire.send(request_head)
            with suppress(ConnectionError):
                await wire.insist(endless, 1)
            answer = await answer_on(wire)
            assert answer.status in {400, 413}


async def test_a_trailer_is_no_header(users: Users, server: Serving) -> None:
    owner = await users.person()
    body = b'{"name": "x"}'
    for _ in range(2):
        answer = await ask(
            server,
            head("POST", PROJECTS, "Transfer-Encoding: chunked", "Content-Type: application/json",
                 bearer(owner.token)),
            b"%x\r\n%b\r\n0\r\nIdempotency-Key: same\r\n\r\n" % (len(body), body),
        )  # fmt: skip
        assert answer.status == 201
        assert "idempotent-replayed" not in answer.headers


async def test_pipelined_requests_are_limited(users: Users, server: Serving) -> None:
    async with wired(server) as wire:
        wire.send(HEALTH * 5_000)
        received = await wire.rest()
    assert 10 <= received.count(b"HTTP/1.1 200") <= 40
    assert received.count(b"connection: close") == 1


@pytest.mark.parametrize(
    ("version", "lines", "status"),
    [
        ("1.1", ("Transfer-Encoding: gzip, chunked",), 501),
        ("1.1", ("Transfer-Encoding: gzip", "Transfer-Encoding: chunked"), 501),
        ("1.1", ("Transfer-Encoding: chunked, chunked",), 400),
        ("1.0", ("Transfer-Encoding: chunked",), 400),
        ("1.1", ("Transfer-Encoding: Chunked",), 201),
    ],
)
async def test_only_the_chunked_transfer_coding_is_accepted(
    users: Users, server: Serving, version: str, lines: tuple[str, ...], status: int
) -> None:
    request_head = head(
        "POST", PROJECTS, "Content-Type: application/json", bearer((await users.person()).token), *lines
    )
    async with wired(server) as wire:
        wire.send(
            request_head.replace(b"HTTP/1.1", b"HTTP/%b" % version.encode(), 1) + b'd\r\n{"name": "x"}\r\n0\r\n\r\n'
        )
        answer = await answer_on(wire)
        assert answer.status == status
        if status != 201:
            assert answer.code in {"unknown_transfer_coding", "bad_request", "malformed_request"}
            assert await wire.rest() == b""


async def test_an_unread_body_may_not_have_another_transfer_coding(users: Users, server: Serving) -> None:
    """Also in the fast path."""
    owner = await users.person()
    project = await owner.project()
    for path in ("/healthz", f"{PROJECTS}/{project}/documents?limit=1"):
        await ask(server, head("GET", path, bearer(owner.token)))
        answer = await ask(server, head("GET", path, bearer(owner.token), "Transfer-Encoding: gzip, chunked"))
        assert answer.code == "unknown_transfer_coding"


async def test_a_half_closed_connection_gets_every_answer(users: Users, server: Serving) -> None:
    owner, body = await users.person(), b'{"name": "x"}'
    lines = (bearer(owner.token), "Content-Type: application/json", f"Content-Length: {len(body)}")
    async with wired(server) as wire:
        wire.send(head("POST", PROJECTS, *lines) + body + HEALTH)
        wire.writer.write_eof()
        assert (await answer_on(wire)).status == 201
        answer = await answer_on(wire)
        assert (answer.status, answer.headers["connection"]) == (200, "close")
        assert await wire.rest() == b""


async def test_waiting_requests_of_half_closed_connections_do_not_begin(
    server: Serving, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A client that has left looks the same: a burst of them would otherwise be worked on to its end."""
    begun, answered = 0, asyncio.Event()

    async def hang(*_: object) -> None:
        nonlocal begun
        begun += 1
        await answered.wait()

    monkeypatch.setattr(server.app, "middleware_stack", hang)
    async with AsyncExitStack() as stack:
        wires = [await stack.enter_async_context(wired(server)) for _ in range(AT_ONCE + 4)]
        for number, wire in enumerate(wires):
            wire.send(head("GET", "/healthz", bearer(str(number))))
        await until(lambda: begun == AT_ONCE)
        for wire in wires:
            wire.writer.write_eof()
        await until(lambda: sum(wire.reader.at_eof() for wire in wires) == 4)
        answered.set()
    assert begun == AT_ONCE


async def test_half_a_request_gets_no_answer(server: Serving) -> None:
    for half in (b"GET /healthz HTTP/1.1\r\n", head("POST", PROJECTS, "Content-Length: 5"), b""):
        async with wired(server) as wire:
            wire.send(half)
            wire.writer.write_eof()
            assert b"HTTP/1.1 200" not in await wire.rest()


async def test_a_half_closed_connection_does_not_wait_for_ever(
    strict: Serving, monkeypatch: pytest.MonkeyPatch
) -> None:
    answered = asyncio.Event()

    async def hang(*_: object) -> None:
        await answered.wait()

    monkeypatch.setattr(connections, "HALF_CLOSED_SECONDS", 0.2)
    monkeypatch.setattr(strict.app, "middleware_stack", hang)
    async with wired(strict) as wire:
        wire.send(HEALTH)
        wire.writer.write_eof()
        assert await wire.rest() == b""
    answered.set()


@pytest.mark.parametrize(
    ("method", "query", "lines", "status"),
    [
        ("GET", "x" * 9_000, (), 414),
        ("GET", "", (f"X: {'x' * 9_000}",), 431),
        ("GET", "", ("X: x",) * 200, 431),
        ("GET", "", ("Content-Length: 100000",), 400),
        ("GET", "", ("Transfer-Encoding: chunked",), 400),
        ("POST", "", (), 400),
        ("GET", "", ("Sec-WebSocket-Key: again",), 400),
        ("GET", "", ("Upgrade: websocket",), 426),
        ("GET", "", ("Origin: one", "Origin: two"), 400),
        ("GET", "", (f"X: {'x' * (LINE_BYTES - 1)}",), 400),
    ],
)
async def test_a_request_for_a_socket_has_limits(
    server: Serving, method: str, query: str, lines: tuple[str, ...], status: int
) -> None:
    path = f"{PROJECTS}/{uuid4()}/ws?{query}"
    asked = (
        "Upgrade: websocket",
        "Connection: Upgrade",
        f"Sec-WebSocket-Key: {'A' * 22}==",
        "Sec-WebSocket-Version: 13",
    )
    async with wired(server) as wire:
        wire.send(head(method, path, *asked, *lines))
        answer = await answer_on(wire)
        assert answer.status == status
        assert answer.code
        await wire.rest()


async def test_an_upgrade_to_something_else_ends_the_connection(server: Serving) -> None:
    async with wired(server) as wire:
        wire.send(head("GET", "/healthz", "Connection: Upgrade", "Upgrade: h2c") + HEALTH * 3)
        received = await wire.rest()
    assert received.count(b"HTTP/1.1 200") == 1
    assert b"connection: close" in received


async def test_silent_connections_are_closed_and_half_requests_time_out(users: Users, strict: Serving) -> None:
    owner = await users.person()
    body = head("POST", PROJECTS, "Content-Length: 500", "Content-Type: application/json", bearer(owner.token))
    async with wired(strict) as silent, wired(strict) as half, wired(strict) as bodiless, wired(strict) as lines:
        half.send(b"GET /healthz HTTP/1.1\r\nHost: h")
        bodiless.send(body + b'{"name":')
        lines.send(HEALTH)
        assert (await answer_on(lines)).status == 200
        lines.send(b"\r\n")
        assert await silent.rest() == b""
        assert (await answer_on(half)).code == "request_timeout"
        assert (await answer_on(bodiless)).code == "request_timeout"
        assert (await answer_on(lines)).code == "request_timeout"
    async with wired(strict) as kept:
        for _ in range(3):
            kept.send(HEALTH)
            assert (await answer_on(kept)).status == 200
            await asyncio.sleep(0.3)


async def test_the_oldest_unfinished_connections_are_closed_first(strict: Serving) -> None:
    async with AsyncExitStack() as stack:
        crowd = [await stack.enter_async_context(wired(strict)) for _ in range(30)]
        for each in crowd:
            each.send(b"GET /healthz HTTP/1.1\r\n")
        assert (await ask(strict, HEALTH)).status == 200
        await until(lambda: sum(each.reader.at_eof() or each.reader.exception() is not None for each in crowd) >= 20)


async def test_connections_are_limited_per_address(strict: Serving) -> None:
    async with AsyncExitStack() as stack:
        kept: list[Wire] = []
        for _ in range(PER_ADDRESS):
            kept.append(await stack.enter_async_context(wired(strict)))
            kept[-1].send(HEALTH)
            assert (await answer_on(kept[-1])).status == 200
        async with wired(strict) as refused:
            answer = await answer_on(refused)
            assert (answer.status, answer.code) == (503, "too_many_connections")
        kept[0].send(HEALTH)
        assert (await answer_on(kept[0])).status == 200
    await until(lambda: not strict.server.server_state.connections)
    assert (await ask(strict, HEALTH)).status == 200


@pytest.mark.parametrize("crowd", [HEALTH, HEALTH.removesuffix(b"\r\n")])
async def test_at_the_connection_limit_idle_connections_are_closed(
    settings: Settings, crowd: bytes, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(connection_limits, "GRACE_SECONDS", 0.0)
    update = {"connections": 16, "connections_per_address": 100}
    async with (
        serve(settings.model_copy(update={"http": settings.http.model_copy(update=update)})) as full,
        AsyncExitStack() as stack,
    ):
        held = [await stack.enter_async_context(wired(full)) for _ in range(16)]
        for each in held:
            each.send(crowd)
            if crowd == HEALTH:
                assert (await answer_on(each)).status == 200
        assert (await ask(full, HEALTH)).status == 200
        with suppress(ConnectionError):
            assert await held[0].rest() == b""
        held[-1].send(HEALTH if crowd == HEALTH else b"\r\n")
        assert (await answer_on(held[-1])).status == 200


async def test_a_new_connection_is_not_closed_for_others(settings: Settings) -> None:
    """One address holds all slots but one with idle connections: those are closed first, and the newest one stays."""
    update = {"connections": 8, "connections_per_address": 100}
    async with (
        serve(settings.model_copy(update={"http": settings.http.model_copy(update=update)})) as full,
        AsyncExitStack() as stack,
    ):
        for _ in range(7):
            idle = await stack.enter_async_context(wired(full))
            idle.send(HEALTH)
            assert (await answer_on(idle)).status == 200
        newcomers = [await stack.enter_async_context(wired(full)) for _ in range(6)]
        for each in newcomers:
            each.send(HEALTH)
        assert [(await answer_on(each)).status for each in newcomers] == [200] * 6


async def test_a_client_that_does_not_read_its_response_is_disconnected(users: Users, strict: Serving) -> None:
    owner = await users.person()
    project = await owner.project()
    made = await owner.client.post(
        f"{PROJECTS}/{project}/documents", json={"title": "Large", "content": "x" * 8_000_000}
    )
    path = f"{PROJECTS}/{project}/documents/{made.json()['id']}"
    held = strict.server.server_state.connections
    before = set(held)
    async with wired(strict, receive_buffer=4096) as slow:
        slow.read_no_more()
        slow.send(head("GET", path, bearer(owner.token)))
        await until(lambda: bool(set(held) - before))
        [connection] = set(held) - before
        await until(lambda: connection not in held)


@pytest.mark.parametrize("behind", [b"\x00\x01", b"GET / HTTP/1.1\r\nbad\r\n\r\n"])
async def test_an_error_is_never_written_into_another_response(users: Users, strict: Serving, behind: bytes) -> None:
    owner = await users.person()
    project = await owner.project()
    content = "x" * 3_000_000
    made = await owner.client.post(f"{PROJECTS}/{project}/documents", json={"title": "Large", "content": content})
    async with wired(strict, receive_buffer=4096) as wire:
        wire.send(head("GET", f"{PROJECTS}/{project}/documents/{made.json()['id']}/content", bearer(owner.token)))
        await wire.until(b"\r\n\r\n")
        wire.send(behind)
        with suppress(ConnectionError):
            rest = await wire.rest()
            assert rest.strip(b"x") == b""


def test_progress_counts_only_useful_bytes() -> None:
    body = Progress(since=0.0)
    assert body.admits(HEAD_BYTES, 0)
    assert not body.admits(1, 0)
    body.begin(Part.BODY, 10.0, content=50)
    for content in range(100_000, 2_000_000, 100_000):
        assert body.admits(100_000, 50 + content)
    assert body.due(5, 30, 10_000) == 10 + 30 + 190
    assert not body.admits(FRAMING_BYTES + 1, 50 + 1_900_000)


async def test_a_closed_websocket_releases_its_slot(users: Users, strict: Serving) -> None:
    owner = await users.person()
    project = await owner.project()
    for _ in range(PER_ADDRESS + 5):
        async with opened(strict.url, project, greeting(owner, after=0)) as follower:
            assert (await follower.next())["id"] == 1


async def test_a_client_that_sends_its_whole_body_can_read_the_refusal(server: Serving) -> None:
    size = 30 * 1024 * 1024
    async with wired(server) as wire:
        wire.send(head("POST", PROJECTS, f"Content-Length: {size}"))
        await wire.insist(bytes(1024 * 1024), size // (1024 * 1024))
        assert (await answer_on(wire)).status == 401
        assert await wire.rest() == b""


async def test_the_discarded_rest_of_a_body_is_limited(server: Serving, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(unread_body, "_BYTES", 1024)
    async with wired(server) as wire:
        wire.send(head("POST", PROJECTS, "Transfer-Encoding: chunked"))
        with pytest.raises(ConnectionError):
            await wire.insist(b"10000\r\n" + bytes(65536) + b"\r\n", 10_000)


async def test_a_stop_does_not_wait_for_bodies(users: Users, settings: Settings) -> None:
    owner = await users.person()
    path = documents(await owner.project())
    async with serve(settings) as serving, wired(serving) as whole, wired(serving) as first, wired(serving) as second:
        for wire, size in ((first, 1_000), (second, 1_000_000)):
            headers = ("Content-Type: application/json", f"Content-Length: {size}", bearer(owner.token))
            wire.send(head("POST", path, *headers) + b"{")
        whole.send(HEALTH)
        assert (await answer_on(whole)).status == 200
        stopping = asyncio.create_task(serving.stop())
        for wire in (first, second):
            answer = await answer_on(wire)
            assert (answer.status, answer.code) == (503, "unavailable")
            assert int(answer.headers["retry-after"]) > 0
            wire.writer.close()
        assert await whole.rest() == b""
        await stopping
