"""Heads and framing of requests: what is malformed or too large is refused."""

from __future__ import annotations

from contextlib import suppress
from uuid import uuid4

import pytest

from partywall.core.http.request_head import HEADER_BYTES, LINE_BYTES, MOST_HEADERS, URL_BYTES
from partywall.core.http.request_progress import FRAMING_BYTES, HEAD_BYTES
from partywall.testing.users import Users
from tests.core.http.bytes import HEALTH, PROJECTS, answer_on, ask, bearer, head
from tests.features.live.server import Serving
from tests.features.live.wire import wired

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
