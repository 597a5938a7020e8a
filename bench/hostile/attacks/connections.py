"""Endless heads, idle connections, and bytes that are not HTTP."""

from __future__ import annotations

import asyncio
import itertools
from collections.abc import Awaitable, Callable, Iterator

from bench.hostile.attack import Attack
from bench.hostile.hostile import API, Hostile
from bench.hostile.wire import request

type Run = Callable[[Hostile], Awaitable[None]]

GET = b"GET /api/v1/projects HTTP/1.1\r\nHost: localhost\r\n"
POST = b"POST /api/v1/projects HTTP/1.1\r\nHost: localhost\r\nContent-Type: application/json\r\n"
CHUNKED = POST + b"Transfer-Encoding: chunked\r\n\r\n"


def held(count: int, opening: bytes, drip: bytes = b"", *, every: float = 0.5, addresses: int = 1) -> Run:
    async def run(hostile: Hostile) -> None:
        hostile.begin()
        await hostile.hold(count, opening, drip=drip, every=every, addresses=addresses)

    return run


def repeated(*lines: bytes, connections: int = 2, most: int = 400) -> Run:
    async def run(hostile: Hostile) -> None:
        hostile.begin()
        await hostile.flood(itertools.cycle(lines), connections=connections, most=most)

    return run


async def idle_served(hostile: Hostile) -> None:
    """Keep-alive connections that were served once."""
    hostile.begin()
    line = GET.replace(b"/api/v1/projects", b"/healthz") + b"\r\n"
    await hostile.hold(4000, line, addresses=2, within=hostile.seconds * 0.7)


async def slow_body_known(hostile: Hostile) -> None:
    await hostile.set_up()
    head = hostile.ask(
        "POST", f"{hostile.here}/documents", None, Content_Length="1000000", Content_Type="application/json"
    )
    hostile.begin()
    await hostile.hold(100, head, drip=b" ")


async def slow_register(hostile: Hostile) -> None:
    """The answers to another client at the same address are counted too; they should be 200."""
    await hostile.set_up()
    opening = request("POST", f"{API}/auth/register", body=b"{" + b" " * 7998 + b"}")[:-7999]
    hostile.begin()
    other_client = hostile.flood(itertools.repeat(hostile.ask("GET", hostile.here)), connections=1, most=1000)
    await asyncio.gather(hostile.hold(240, opening), other_client)


async def uploads_unfinished(hostile: Hostile) -> None:
    """Fills the temporary directory and keeps the connections open."""
    await hostile.set_up()
    whole = hostile.upload(b"a" * 20_000_000)
    hostile.begin()
    await hostile.hold(20, whole[:-1000])


async def upload_parts(hostile: Hostile) -> None:
    await hostile.set_up()
    target = f"{hostile.here}/documents/upload"
    part = b'--b\r\nContent-Disposition: form-data; name="metadata"\r\n\r\n{}\r\n'
    many = part * 10_000 + b"--b--\r\n"
    endless = b"--b\r\nContent-Disposition: form-data; name=" + b"a" * 5_000_000
    lines_in_head = b"--b\r\n" + b"X-A: b\r\n" * 500_000
    no_end = b"\r\n-" * 2_000_000
    kind = "multipart/form-data; boundary=b"
    lines = [hostile.ask("POST", target, body, Content_Type=kind) for body in (many, endless, lines_in_head, no_end)]
    lines.append(hostile.ask("POST", target, many, Content_Type=f"multipart/form-data; boundary={'b' * 60_000}"))
    hostile.begin()
    await hostile.flood(itertools.cycle(lines), connections=2, most=60)


async def pipelining(hostile: Hostile) -> None:
    """2,000 pipelined requests per connection, whose answers are never read."""
    hostile.begin()
    await hostile.read_slowly(8, (GET + b"\r\n") * 2000)


async def pipelining_known(hostile: Hostile) -> None:
    await hostile.set_up()
    one = hostile.ask("GET", f"{hostile.here}/search?q=hostile")
    hostile.begin()
    await hostile.read_slowly(8, one * 500)


async def expecting(hostile: Hostile) -> None:
    await hostile.set_up()
    head = hostile.ask("POST", f"{hostile.here}/documents", None, Content_Length="1000", Expect="100-continue")
    hostile.begin()
    await hostile.hold(100, head)


async def methods(hostile: Hostile) -> None:
    names = ("HEAD", "OPTIONS", "TRACE", "CONNECT", "PROPFIND", "PURGE", "M-SEARCH", "QUERY", "get", "A" * 5000)
    paths = ("/healthz", f"{API}/projects", "/nowhere", "*", "http://elsewhere/", "/docs", "/openapi.json")
    lines = [request(name, path) for name in names for path in paths]
    preflight = {"Origin": "https://a.example", "Access-Control-Request-Method": "A" * 9000}
    lines.append(request("OPTIONS", f"{API}/projects", headers=preflight))
    hostile.begin()
    await hostile.flood(itertools.cycle(lines), connections=4, most=3000)


async def reconnecting(hostile: Hostile) -> None:
    """A new connection per request, from 20 addresses."""

    def lines() -> Iterator[bytes]:
        yield from itertools.repeat(GET + b"Connection: close\r\n\r\n", 2000)

    hostile.begin()
    await hostile.flood(lines(), connections=20, addresses=20)


def with_header(name: str, *values: str) -> list[bytes]:
    return [request("GET", f"{API}/projects", headers={name: value}) for value in values]


MANY_HEADERS = GET + b"".join(b"X-%d: a\r\n" % n for n in range(20_000)) + b"\r\n"
FORWARDED = ", ".join(f"10.0.{n // 256}.{n % 256}" for n in range(1000))
RANGES = "bytes=" + ",".join(f"{n}-{n + 1}" for n in range(0, 4000, 2))
WEIGHTS = ", ".join(f"gzip;q=0.{n:03d}" for n in range(1000))
LENGTHS = [
    POST + b"Content-Length: %b\r\n\r\n" % value
    for value in (b"1000000000000", b"-1", b"1e9", b"5, 5", b"+1", b"9" * 4000)
]
SMUGGLED = [
    POST + b"Content-Length: 4\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\nGET /healthz HTTP/1.1\r\n\r\n",
    POST + b"Transfer-Encoding: gzip\r\n\r\n",
]
GARBAGE = [
    b"\x16\x03\x01\x02\x00\x01\x00\x01\xfc\x03\x03" + b"\x00" * 500,
    b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n",
    b"\x00" * 5000,
    b"\r\n" * 50_000,
    b"GET\r\n\r\n",
    b"GET / HTTP/9.9\r\n\r\n",
    b"GET / HTTP/1.1\r\n: a\r\n\r\n",
    b"GET / HTTP/1.1\r\n a: b\r\n\r\n",
    b"GET / HTTP/1.1\nHost: a\n\n",
    b"a" * 200_000,
    b"POST /api/v1/projects HTTP/1.0\r\n\r\n",
]

ATTACKS = (
    Attack(
        "endless-header",
        2,
        "header lines without an end, 64 KB at a time, 4 connections",
        held(4, GET + b"X-A: ", b"a" * 65_536, every=0.005),
    ),
    Attack(
        "endless-headers",
        2,
        "headers without an end, 4 connections",
        held(4, GET, b"X-A: aaaaaaaaaaaaaaaa\r\n" * 500, every=0.02),
    ),
    Attack("endless-url", 2, "a URL without an end, 4 connections", held(4, b"GET /", b"a" * 65_536, every=0.005)),
    Attack(
        "endless-chunk-head",
        2,
        "a chunk extension without an end",
        held(4, CHUNKED + b"1;", b"a" * 65_536, every=0.005),
    ),
    Attack(
        "endless-trailers", 2, "trailers without an end", held(4, CHUNKED + b"0\r\n", b"X-A: a\r\n" * 5000, every=0.01)
    ),
    Attack("many-headers", 2, "20,000 headers", repeated(MANY_HEADERS, most=60)),
    Attack(
        "cookies",
        2,
        "8 KB cookies, 100 of them",
        repeated(GET + (b"Cookie: a=" + b"b" * 8000 + b"\r\n") * 100 + b"\r\n", most=60),
    ),
    Attack(
        "header-values",
        2,
        "1,000 forwarded addresses, ranges, weights",
        repeated(
            *with_header("X-Forwarded-For", FORWARDED, "," * 8000),
            *with_header("Range", RANGES),
            *with_header("Accept-Encoding", WEIGHTS, "gzip;q=" + "9" * 8000),
            *with_header("Accept", "*/*," * 2000),
            *with_header("If-None-Match", '"a",' * 2000),
            *with_header("Host", "a" * 8000, "[::1", "a@b", "\xff"),
            most=2000,
        ),
    ),
    Attack("slow-headers", 2, "200 heads, a line each half second", held(200, GET, b"X-A: a\r\n")),
    Attack(
        "slow-body",
        2,
        "100 bodies, a byte each half second, no token",
        held(100, POST + b"Content-Length: 50000\r\n\r\n", b" "),
    ),
    Attack("slow-register", 2, "240 bodies of 8,000 bytes that end after one, from one address", slow_register),
    Attack("slow-body-known", 2, "the same with a token", slow_body_known),
    Attack("idle-700", 2, "700 connections from one address that send nothing", held(700, b"")),
    Attack("idle-many-addresses", 2, "1,500 from 100 addresses", held(1500, b"", addresses=100), weight=3),
    Attack(
        "idle-served",
        2,
        "4,000 connections from two addresses, idle after a request",
        idle_served,
        weight=2,
    ),
    Attack("half-open-700", 2, "700 unfinished heads", held(700, GET)),
    Attack("unfinished-uploads", 2, "20 uploads of 20 MB that never end", uploads_unfinished),
    Attack("multipart-parts", 2, "10,000 parts, endless part heads and boundaries", upload_parts),
    Attack("one-byte-chunks", 2, "chunks of one byte", held(8, CHUNKED, b"1\r\n{\r\n" * 20_000, every=0.05)),
    Attack("expect-abandoned", 2, "100 times `Expect: 100-continue`, then silence", expecting),
    Attack("lengths", 2, "absurd and contradicting `Content-Length`", repeated(*LENGTHS, *SMUGGLED, most=1000)),
    Attack("no-http", 2, "TLS, HTTP/2, NULs, broken heads", repeated(*GARBAGE, most=1000)),
    Attack("methods", 2, "ten methods on seven paths, preflights", methods),
    Attack(
        "long-urls",
        2,
        "URLs of 1 MB, 10,000 parameters",
        repeated(
            request("GET", "/" + "a" * 1_000_000),
            request("GET", f"{API}/projects?" + "&".join(f"limit={n}" for n in range(10_000))),
            most=60,
        ),
    ),
    Attack("pipelining", 2, "2,000 pipelined requests on 8 connections, nobody reads", pipelining),
    Attack("pipelining-known", 3, "500 pipelined searches on 8 connections, nobody reads", pipelining_known),
    Attack("reconnecting", 2, "2,000 connections of one request from 20 addresses", reconnecting),
)
