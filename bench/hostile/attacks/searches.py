"""Queries and lists that are costly for the database."""

from __future__ import annotations

import asyncio
import itertools
from collections.abc import Awaitable, Callable, Sequence
from urllib.parse import quote

from bench.hostile.attack import Attack
from bench.hostile.attacks.several import accounts
from bench.hostile.hostile import Hostile

COMMON = "the of and to in a is that for it as was with be by on not he his but at are this have from or had an they"

type Run = Callable[[Hostile], Awaitable[None]]


async def seed(hostile: Hostile, documents: int = 200) -> None:
    """A project in which common words are frequent."""
    await hostile.set_up()
    some = [{"title": f"Hostile {n}", "content": f"{COMMON} number {n}. " * 20} for n in range(documents)]
    await hostile.call("POST", f"{hostile.here}/documents/batch", {"documents": some})


def searches(*queries: str, connections: int = 24, extra: str = "&limit=100&group=chunk") -> Run:
    async def run(hostile: Hostile) -> None:
        await seed(hostile)
        lines = [hostile.ask("GET", f"{hostile.here}/search?q={quote(query)}{extra}") for query in queries]
        hostile.begin()
        await hostile.flood(itertools.cycle(lines), connections=connections)

    return run


def lists(queries: Sequence[str], *, connections: int = 16) -> Run:
    async def run(hostile: Hostile) -> None:
        await seed(hostile)
        lines = [hostile.ask("GET", f"{hostile.here}/documents?{query}") for query in queries]
        hostile.begin()
        await hostile.flood(itertools.cycle(lines), connections=connections)

    return run


async def titles(hostile: Hostile) -> None:
    """Two accounts with a large project each; every filter scans it completely."""
    made = await accounts(hostile, 2)
    some = {"documents": [{"title": "\u00c4" * 470 + str(number), "content": "x"} for number in range(500)]}
    for host, each in enumerate(made):
        for _ in range(LARGE_PROJECT // 500):
            await each.call("POST", f"{each.here}/documents/batch", some, host=host)
    hostile.begin()
    floods = []
    for host, each in enumerate(made):
        each.begin()
        lines = itertools.cycle(each.ask("GET", f"{each.here}/documents?{query}") for query in COSTLY_LISTS)
        floods.append(each.flood(lines, connections=20, first_address=host))
    await asyncio.gather(*floods)


LARGE_PROJECT = 10_000
COSTLY_LISTS = (
    "limit=100&offset=0&q_title=zzzzz", "sort=title&limit=100&offset=0&q_title=q", "limit=100&q_title=zzzzz",
    "limit=100&offset=9900", "status=published&index_status=failed", "sort=title&offset=9999&status=draft",
)  # fmt: skip
LISTS = (
    "offset=999999999", "offset=9223372036854775807", "limit=100&offset=199", "cursor=" + "A" * 8000, "cursor=%00",
    "sort=" + "title," * 1000, "q_title=" + "%25_" * 200, "q_title=" + "%5C" * 500, "q_title=" + "a" * 8000,
    "external_id=" + "%F0%9F%98%80" * 200, "status=a&" * 500,
)  # fmt: skip

ATTACKS = (
    Attack("search-repeated", 3, "10 KB of one repeated word, 24 at once", searches("the " * 2500), weight=3),
    Attack("search-repeated-short", 3, "1,000 characters of one word, 24 at once", searches(("the " * 250).strip())),
    Attack("search-common", 3, "1,000 characters of common words, 24 at once", searches((COMMON + " ") * 9)),
    Attack(
        "search-distinct",
        3,
        "hundreds of distinct words, 24 at once",
        searches(
            " ".join(f"w{n}" for n in range(200)),
            " ".join(chr(97 + n % 26) + chr(97 + n // 26) for n in range(330)),
        ),
    ),
    Attack("search-cjk", 3, "a wall of ideographs, 24 at once", searches("\u4e2d\u6587" * 500, "\u4e2d \u6587 " * 250)),
    Attack(
        "search-long-word",
        3,
        "words of 1,000 to 10,000 characters",
        searches("a" * 1000, "a" * 10_000, "a-" * 500, "a/b." * 250),
    ),
    Attack(
        "search-operators",
        3,
        "quotes, brackets, wildcards, `or`, `-`",
        searches('"' * 1000, "(" * 1000, "a:* | " * 160, "-a " * 330, 'or "a" ' * 140, "! & | <-> " * 100, "*" * 1000),
    ),
    Attack(
        "search-normalisation",
        3,
        "ligatures, accents, NULs",
        searches("\ufdfa" * 1000, "e" + "\u0301" * 999, "\x00", "\ud7ff" * 900),
    ),
    Attack(
        "search-filters",
        3,
        "limits, modes, groups out of range",
        searches("a", extra="&limit=99999999999999999999&mode=vector&group=" + "chunk" * 500),
    ),
    Attack(
        "search-vector",
        3,
        "searches by meaning alone, 24 at once",
        searches((COMMON + " ") * 9, extra="&mode=vector&limit=100"),
    ),
    Attack("accounts-lists", 3, "two accounts look for titles in 10,000 documents each", titles, weight=3),
    Attack("lists", 3, "lists with huge offsets, cursors, wildcards", lists(LISTS)),
    Attack(
        "lists-wildcards",
        3,
        "titles by wildcards, 24 at once",
        lists(["limit=100&q_title=" + quote("%a%e%" * 90), "limit=100&offset=0&q_title=" + "_" * 400], connections=24),
    ),
)
