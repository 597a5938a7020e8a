"""Unusual HTTP: old versions, half-closed connections, double codings and long lists in headers."""

from __future__ import annotations

import asyncio
import itertools
from collections.abc import Iterable
from uuid import uuid4

from bench.hostile.attack import Attack
from bench.hostile.hostile import API, Hostile
from bench.hostile.wire import request

LINE = 8000


async def half_closed(hostile: Hostile) -> None:
    """Clients that shut down their side after the request; most wait, some close at once."""
    await hostile.set_up()
    lines = itertools.cycle([hostile.ask("GET", f"{hostile.here}/documents"), request("GET", "/healthz")])
    hostile.begin()
    staying = (_half_close(hostile, lines, number % 10, stays=True) for number in range(40))
    await asyncio.gather(*staying, *(_half_close(hostile, lines, 10, stays=False) for _ in range(2)))


async def _half_close(hostile: Hostile, lines: Iterable[bytes], host: int, *, stays: bool) -> None:
    for line in lines:
        connection = await hostile.connect(host) if hostile.left > 0 else None
        if connection is None:
            return
        await connection.send(line)
        connection.writer.write_eof()
        if stays:
            await hostile.exchange(connection, b"")
        connection.close()


async def codings(hostile: Hostile) -> None:
    """Bodies with combined, repeated or unknown transfer codings."""
    await hostile.set_up()
    said = ("gzip, chunked", "chunked, chunked", "identity", "deflate, gzip, chunked", ", " * 3000 + "chunked")
    body = b"d\r\n" + b'{"name": "x"}' + b"\r\n0\r\n\r\n"
    lines = [
        request(method, path, token=hostile.token, headers={"Transfer-Encoding": each}) + body
        for each in said
        for method, path in (("POST", f"{API}/projects"), ("GET", f"{hostile.here}/documents"))
    ]
    hostile.begin()
    await hostile.flood(itertools.cycle(lines), connections=16)


async def broken_handshakes(hostile: Hostile) -> None:
    """WebSocket handshakes with missing, wrong or overlong headers."""
    path = f"{API}/projects/{uuid4()}/ws"
    good = {
        "Upgrade": "websocket", "Connection": "Upgrade", "Sec-WebSocket-Key": "MDEyMzQ1Njc4OWFiY2RlZg==",
        "Sec-WebSocket-Version": "13",
    }  # fmt: skip
    wrong = ({"Sec-WebSocket-Key": "\u00e9" * 4000}, {"Sec-WebSocket-Version": "12"}, {"Connection": "Upgrade," * 900},
             {"Sec-WebSocket-Protocol": "a," * 3900}, {"Sec-WebSocket-Extensions": "a; b=c," * 1000},
             {"Origin": "http://[" + ":" * 7000})  # fmt: skip
    lines = [request("GET", path, headers={**good, **each}) for each in wrong]
    lines.append(request("GET", path, headers=good).replace(b"HTTP/1.1", b"HTTP/1.0"))
    hostile.begin()
    await hostile.flood(itertools.cycle(lines), connections=16)


async def old_http(hostile: Hostile) -> None:
    """HTTP/1.0 with a connection per request."""
    await hostile.set_up()
    line = hostile.ask("GET", f"{hostile.here}/documents").replace(b"HTTP/1.1", b"HTTP/1.0")
    hostile.begin()
    await hostile.flood(itertools.repeat(line), connections=32, addresses=8)


async def continuing(hostile: Hostile) -> None:
    """Many small bodies with `Expect: 100-continue`."""
    await hostile.set_up()
    line = hostile.ask("POST", f"{hostile.here}/documents", {"title": "a", "content": "a"}, Expect="100-continue")
    hostile.begin()
    await hostile.flood(itertools.repeat(line), connections=16)


async def header_lists(hostile: Hostile) -> None:
    """As many entries as a header may hold: tags, ranges, addresses, codings, types, keys."""
    await hostile.set_up()
    document = f"{hostile.here}/documents/{await hostile.new_document('a' * 10_000)}"
    lists = {
        "If-None-Match": '"a",', "Range": "0-0,", "X-Forwarded-For": "1,", "Accept-Encoding": "a,", "Accept": "a/b,",
        "Last-Event-ID": "9", "Traceparent": "0-", "Cookie": "a;", "Forwarded": "for=1,", "Accept-Language": "a,",
        "If-Match": '"a",', "Idempotency-Key": "k",
    }  # fmt: skip
    lines = []
    for name, entry in lists.items():
        start = "bytes=" if name == "Range" else ""
        value = start + entry * ((LINE - 100) // len(entry))
        lines += [request("GET", f"{document}{way}", token=hostile.token, headers={name: value})
                  for way in ("", "/content")]  # fmt: skip
        lines.append(
            request("DELETE", f"{hostile.here}/documents/{uuid4()}", token=hostile.token, headers={name: value})
        )
    hostile.begin()
    await hostile.flood(itertools.cycle(lines), connections=16)


ATTACKS = (
    Attack("half-closed", 2, "clients that shut down their side after the request", half_closed),
    Attack("codings", 2, "transfer codings that are none of ours", codings),
    Attack("handshakes-broken", 2, "handshakes of sockets that are none", broken_handshakes),
    Attack("old-http", 2, "HTTP/1.0, a connection for each request", old_http),
    Attack("expect-many", 2, "small bodies with `Expect: 100-continue`", continuing),
    Attack("header-lists", 2, "8 KB of tags, ranges, addresses in one header", header_lists),
)
