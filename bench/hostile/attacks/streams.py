"""Streams, tickets, sockets and slowly read answers."""

from __future__ import annotations

import asyncio
import itertools
import json
import struct
from base64 import b64encode

from bench.hostile.attack import Attack
from bench.hostile.attacks.writes import large_document
from bench.hostile.hostile import Hostile, NotSetUpError
from bench.hostile.wire import request

MB = 1_000_000


async def streams(hostile: Hostile) -> None:
    """Up to 50 keys, as far as allowed, and up to 100 streams with each."""
    await hostile.set_up()
    body = {"name": "a", "role": "viewer"}
    secrets: list[str] = []
    try:
        while len(secrets) < 50:
            secrets.append(str((await hostile.call("POST", f"{hostile.here}/api-keys", body))["secret"]))
    except NotSetUpError:
        hostile.counts[f"{len(secrets)} keys"] += 1
    hostile.begin()
    openings = [request("GET", f"{hostile.here}/events", token=secret) for secret in secrets]
    await asyncio.gather(*(hostile.hold(100, each) for each in openings))


async def reconnects(hostile: Hostile) -> None:
    """Reads all events from the first, disconnects and repeats."""
    await hostile.set_up()
    body = {"documents": [{"title": "a" * 400, "content": "a"}] * 500}
    for _ in range(3):
        await hostile.call("POST", f"{hostile.here}/documents/batch", body)
    opening = hostile.ask("GET", f"{hostile.here}/events?after=0")
    hostile.begin()
    whole, rounds = hostile.seconds, 5
    for number in range(rounds):
        hostile.seconds = whole * (number + 1) / rounds
        await hostile.hold(20, opening)


async def filters(hostile: Hostile) -> None:
    await hostile.set_up()
    values = (",".join(["document.*"] * 5000), "a" * 60_000, "*," * 30_000, "document." * 6000)
    lines = [hostile.ask("GET", f"{hostile.here}/events?types={value}") for value in values]
    lines.append(hostile.ask("GET", f"{hostile.here}/events?after=99999999999999999999", Last_Event_ID="9" * 8000))
    hostile.begin()
    await hostile.flood(itertools.cycle(lines), connections=4, most=1000)


async def tickets(hostile: Hostile) -> None:
    await hostile.set_up()
    line = hostile.ask("POST", f"{hostile.here}/events/ticket")
    hostile.begin()
    await hostile.flood(itertools.repeat(line), connections=8, most=10_000)


async def forged_tickets(hostile: Hostile) -> None:
    await hostile.set_up()
    values = ("a" * 200, "a" * 60_000, "%00" * 60, "..%2f" * 30, "*")
    lines = [request("GET", f"{hostile.here}/events?ticket={value}") for value in values]
    hostile.begin()
    await hostile.flood(itertools.cycle(lines), connections=8, most=5000)


def _upgrade(hostile: Hostile) -> bytes:
    key = b64encode(b"0123456789abcdef").decode()
    headers = {"Upgrade": "websocket", "Connection": "Upgrade", "Sec-WebSocket-Key": key, "Sec-WebSocket-Version": "13"}
    return request("GET", f"{hostile.here}/ws", headers=headers)


def _frame(payload: bytes, opcode: int = 1, *, final: bool = True) -> bytes:
    """A frame masked with zeros."""
    length = len(payload)
    short = struct.pack("!B", 0x80 | length) if length < 126 else struct.pack("!BH", 0x80 | 126, length)
    return bytes([(0x80 if final else 0) | opcode]) + short + b"\0\0\0\0" + payload


async def handshakes(hostile: Hostile) -> None:
    """Sockets that never authenticate."""
    hostile.project = "0199aaaa-0000-7000-8000-000000000000"
    hostile.begin()
    await hostile.hold(400, _upgrade(hostile), addresses=4)


async def frames(hostile: Hostile) -> None:
    await hostile.set_up()
    hello = _frame(json.dumps({"type": "auth", "token": hostile.token}).encode())
    kinds = (_frame(b"", 9), _frame(b"a", 0, final=False), _frame(b"{}"), _frame(b"[" * 60_000), _frame(b"", 8))
    hostile.begin()
    held = (hostile.hold(8, _upgrade(hostile) + hello, drip=kind * 500, every=0.1) for kind in kinds)
    await asyncio.gather(*held)


async def slow_readers(hostile: Hostile) -> None:
    """52 slow readers of a 9 MB document."""
    path = await large_document(hostile)
    hostile.begin()
    ways = ("", "/content", "/versions/1", "/content?original=true")
    readers = (hostile.read_slowly(13, hostile.ask("GET", path + way)) for way in ways)
    await asyncio.gather(*readers)


async def slow_readers_anonymous(hostile: Hostile) -> None:
    """Slow readers of the largest answer that needs no credential."""
    hostile.begin()
    await hostile.read_slowly(100, request("GET", "/openapi.json"))


async def large_lists(hostile: Hostile) -> None:
    """Lists of 100 documents with 60 KB of metadata each."""
    await hostile.set_up()
    metadata = {f"k{n}": "a" * 500 for n in range(100)}
    body = {"documents": [{"title": "a", "content": "a", "metadata": metadata}] * 100}
    try:
        await hostile.call("POST", f"{hostile.here}/documents/batch", body)
    except NotSetUpError:
        hostile.counts["batch refused"] += 1
    line = hostile.ask("GET", f"{hostile.here}/documents?limit=100", Accept_Encoding="gzip")
    hostile.begin()
    await asyncio.gather(hostile.flood(itertools.repeat(line), connections=8), hostile.read_slowly(30, line))


async def large_answers(hostile: Hostile) -> None:
    """Reads a 9 MB document at full speed, compressed."""
    path = await large_document(hostile)
    lines = [hostile.ask("GET", path, Accept_Encoding="gzip"), hostile.ask("GET", f"{path}/content")]
    hostile.begin()
    await hostile.flood(itertools.cycle(lines), connections=16, most=400)


async def ranges(hostile: Hostile) -> None:
    path = await large_document(hostile)
    many = "bytes=" + ",".join(f"{n}-{n + 1}" for n in range(0, 8000, 2))
    values = (many, "bytes=" + "0-," * 2000, "bytes=-" + "9" * 4000, "bytes=8999999-", "bytes=0-1,1-9000000")
    lines = [hostile.ask("GET", f"{path}/content", Range=value) for value in values]
    hostile.begin()
    await hostile.flood(itertools.cycle(lines), connections=8, most=2000)


ATTACKS = (
    Attack("streams", 3, "50 keys with 100 streams each", streams, weight=3),
    Attack("stream-reconnects", 3, "20 streams from the first event on, again and again", reconnects),
    Attack("stream-filters", 3, "filters of 5,000 types, positions of 8,000 digits", filters),
    Attack("tickets", 9, "10,000 tickets", tickets),
    Attack("tickets-forged", 9, "tickets that nobody was given", forged_tickets),
    Attack("sockets-silent", 3, "400 WebSockets that never authenticate", handshakes),
    Attack("socket-frames", 3, "pings, fragments, 60 KB messages on 40 WebSockets", frames),
    Attack("slow-readers", 7, "52 slow readers of a 9 MB document", slow_readers, weight=3),
    Attack("slow-readers-anonymous", 7, "100 slow readers of `/openapi.json`, no token", slow_readers_anonymous),
    Attack("large-lists", 7, "lists of 100 documents with 60 KB of metadata", large_lists),
    Attack("large-answers", 7, "a 9 MB document read 400 times, compressed", large_answers),
    Attack("ranges", 7, "thousands of ranges of a 9 MB document", ranges),
)
