from __future__ import annotations

import asyncio
import itertools
from collections.abc import Awaitable, Callable

from bench.hostile.attack import Attack
from bench.hostile.hostile import Hostile, NotSetUpError

type Run = Callable[[Hostile], Awaitable[None]]


async def _silence(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
    await reader.read()
    writer.close()


async def _noise(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
    """Answers endlessly."""
    await reader.read(100)
    writer.write(b"HTTP/1.1 200 OK\r\nContent-Length: 100000000000\r\n\r\n")
    try:
        while True:
            writer.write(b"a" * 65_536)
            await writer.drain()
            await asyncio.sleep(0.05)
    except OSError:
        writer.close()


async def deliver(hostile: Hostile, urls: list[str]) -> None:
    """Creates as many webhooks as allowed, then events for all of them."""
    await hostile.set_up()
    made = 0
    try:
        for url in urls:
            await hostile.call("POST", f"{hostile.here}/webhooks", {"url": url})
            made += 1
    except NotSetUpError:
        hostile.counts[f"{made} webhooks"] += 1
    body = {"documents": [{"title": "a", "content": "a"}] * 100}
    line = hostile.ask("POST", f"{hostile.here}/documents/batch", body)
    hostile.begin()
    await hostile.flood(itertools.repeat(line), connections=1, most=5)
    await hostile.wait()


async def silent(hostile: Hostile) -> None:
    async with await asyncio.start_server(_silence, "127.0.0.1", 0) as server:
        port = server.sockets[0].getsockname()[1]
        await deliver(hostile, [f"http://127.0.0.1:{port}/{n}" for n in range(60)])


async def endless(hostile: Hostile) -> None:
    async with await asyncio.start_server(_noise, "127.0.0.1", 0) as server:
        port = server.sockets[0].getsockname()[1]
        await deliver(hostile, [f"http://127.0.0.1:{port}/{n}" for n in range(20)])


async def names(hostile: Hostile) -> None:
    """Different names that do not resolve, 60 lookups at once."""
    await hostile.set_up()
    made = ({"url": f"https://a{n}.{hostile.name}.invalid/"} for n in itertools.count())
    lines = (hostile.ask("POST", f"{hostile.here}/webhooks", each) for each in made)
    hostile.begin()
    await hostile.flood(lines, connections=60, most=600)


async def addresses(hostile: Hostile) -> None:
    """Addresses that are slow to validate or must be refused."""
    await hostile.set_up()
    urls = [
        "https://" + "a." * 900,
        "https://" + "a" * 5000,
        "https://[" + ":" * 900,
        "https://a@" * 200,
        "https://xn--" + "a" * 900,
    ]
    urls += [
        "https://\u00fc" * 300,
        "https://0x7f.1/",
        "https://a:99999/",
        "file:///etc/passwd",
        "https://a/" + "%" * 1900,
    ]
    lines = [hostile.ask("POST", f"{hostile.here}/webhooks", {"url": url}) for url in urls]
    lines += [hostile.ask("POST", f"{hostile.here}/webhooks", {"url": "https://a.example", "types": ["a." * 49] * 100})]
    hostile.begin()
    await hostile.flood(itertools.cycle(lines), connections=4, most=500)


ATTACKS = (
    Attack("webhooks-silent", 9, "as many webhooks as allowed to a receiver that never answers", silent, weight=3),
    Attack("webhooks-endless", 9, "the same to a receiver that never stops answering", endless),
    Attack("webhooks-names", 9, "webhooks to names that do not resolve, 60 at once", names),
    Attack("webhooks-addresses", 9, "hostile addresses of webhooks", addresses),
)
