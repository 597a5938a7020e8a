"""Several accounts at once: limits per account alone would not stop them."""

from __future__ import annotations

import asyncio
import itertools
from collections.abc import Callable, Sequence
from dataclasses import replace
from urllib.parse import quote

from bench.hostile.attack import Attack
from bench.hostile.attacks.html import heavy
from bench.hostile.hostile import Hostile
from bench.hostile.names import HANG

ACCOUNTS = 4


async def accounts(hostile: Hostile, count: int) -> list[Hostile]:
    """Each has its own address, account and project; they share `counts`."""
    made = []
    for number in range(count):
        each = replace(hostile, counts=hostile.counts)
        each.token = await each.sign_up(f"{hostile.name}{number}", host=number)
        each.project = await each.new_project()
        made.append(each)
    return made


async def together(
    hostile: Hostile,
    requests: Callable[[Hostile], Sequence[bytes]],
    *,
    connections: int,
    most: int = 20_000,
    count: int = ACCOUNTS,
) -> None:
    made = await accounts(hostile, count)
    hostile.begin()
    floods = []
    for host, each in enumerate(made):
        each.begin()
        lines = itertools.cycle(requests(each))
        floods.append(each.flood(lines, connections=connections, most=most, first_address=host))
    await asyncio.gather(*floods)


async def uploads(hostile: Hostile) -> None:
    await together(hostile, lambda each: [each.upload(page) for page in heavy()], connections=30)


def attributes() -> bytes:
    """Each attribute is compared with all earlier ones, so parsing takes the maximum time for a page of this size."""
    return b"<a " + b" ".join(b"a%d=1" % number for number in range(300_000)) + b">x"


async def costly_uploads(hostile: Hostile) -> None:
    page = attributes()
    await together(hostile, lambda each: [each.upload(page)], connections=1, count=2)


async def searches(hostile: Hostile) -> None:
    query = quote("the of and to in a is that " * 35)
    await together(hostile, lambda each: [each.ask("GET", f"{each.here}/search?q={query}&limit=100")], connections=12)


async def runs(hostile: Hostile) -> None:
    body = {"agent": "bench", "input": {"task": HANG}}
    await together(hostile, lambda each: [each.ask("POST", f"{each.here}/runs", body)], connections=2, most=18)
    await hostile.wait()


async def everything(hostile: Hostile) -> None:
    """A mix of all kinds of requests."""
    large = b"word " * 200_000

    def mixed(each: Hostile) -> list[bytes]:
        return [
            each.upload(heavy()[0]),
            each.upload(large, name="a.txt"),
            each.ask("GET", f"{each.here}/search?q={quote('the ' * 250)}"),
            each.ask("GET", f"{each.here}/documents?limit=100&offset=0&q_title=%25a%25"),
            each.ask("POST", f"{each.here}/documents/batch", {"documents": [{"title": "a", "content": "a"}] * 100}),
            each.ask("POST", f"{each.here}/events/ticket"),
        ]

    await together(hostile, mixed, connections=6)


async def slow_uploads(hostile: Hostile) -> None:
    """Slow uploads occupy the resources of an upload while it is read."""
    await hostile.set_up()
    whole = hostile.upload(b"<p>a" * 500_000)
    hostile.begin()
    await hostile.hold(60, whole[:1500], drip=b"<p>a" * 50, every=0.3)


async def unread_streams(hostile: Hostile) -> None:
    """Unread streams while events arrive."""
    await hostile.set_up()
    body = {"documents": [{"title": "a" * 400, "content": "a"}] * 500}
    line = hostile.ask("POST", f"{hostile.here}/documents/batch", body)
    stream = hostile.ask("GET", f"{hostile.here}/events?after=0")
    hostile.begin()
    writing = hostile.flood(itertools.repeat(line), connections=1, most=6)
    await asyncio.gather(writing, hostile.read_slowly(60, stream, piece=1, every=1.0))


async def read_streams(hostile: Hostile) -> None:
    """Streams that are read at full speed while events arrive."""
    await hostile.set_up()
    body = {"documents": [{"title": "a" * 400, "content": "a"}] * 100}
    line = hostile.ask("POST", f"{hostile.here}/documents/batch", body)
    stream = hostile.ask("GET", f"{hostile.here}/events")
    hostile.begin()
    writing = hostile.flood(itertools.repeat(line), connections=4, most=40)
    await asyncio.gather(writing, hostile.read_slowly(90, stream, piece=1_000_000, every=0.05))


ATTACKS = (
    Attack("accounts-uploads", 3, "four accounts with 30 heavy uploads at once each", uploads, weight=3),
    Attack(
        "accounts-attributes",
        3,
        "two accounts with 300,000 attributes in a tag, over and over",
        costly_uploads,
        weight=3,
    ),
    Attack("accounts-searches", 3, "four accounts with 12 long searches at once each", searches, weight=2),
    Attack("accounts-runs", 3, "four accounts with 18 slow runs each", runs, weight=2),
    Attack("accounts-mixed", 3, "four accounts with six requests of all kinds at once each", everything, weight=3),
    Attack("slow-uploads", 3, "60 uploads, 200 bytes each third of a second", slow_uploads, weight=2),
    Attack("read-streams", 4, "90 streams that are read, while 4,000 events come", read_streams, weight=2),
    Attack("unread-streams", 7, "60 streams that nobody reads, while 3,000 events come", unread_streams, weight=2),
)
