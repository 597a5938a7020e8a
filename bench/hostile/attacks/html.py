"""Uploads of HTML that is costly to parse."""

from __future__ import annotations

import itertools
from collections.abc import Awaitable, Callable, Sequence

from bench.hostile.attack import Attack
from bench.hostile.hostile import Hostile

MB = 1_000_000

type Run = Callable[[Hostile], Awaitable[None]]


def uploads(build: Callable[[], Sequence[bytes]], *, connections: int = 2, keyed: bool = False) -> Run:
    """Uploads each page once, or with `keyed` repeatedly, each with its own `Idempotency-Key`."""

    async def run(hostile: Hostile) -> None:
        await hostile.set_up()
        pages = build()
        hostile.begin()
        if keyed:
            pairs = zip(itertools.cycle(pages), itertools.count(), strict=False)
            requests = (hostile.upload(page, key=f"key-{number}") for page, number in pairs)
            await hostile.flood(requests, connections=connections, most=240)
        else:
            await hostile.flood([hostile.upload(page) for page in pages], connections=connections)
            await hostile.wait()

    return run


def heavy() -> list[bytes]:
    return [b"<table><tr><td>" * 3000 + b"a" + b"<b><i><p>" * 5000, b"<p>a<b>" * 30_000]


def nested() -> list[bytes]:
    return [
        tag * (MB // len(tag)) for tag in (b"<table><tr><td>", b"<div>", b"<font color=a>", b"<ul><li>", b"<a><table>")
    ]


def unclosed() -> list[bytes]:
    tags = (
        b"<b><p>",
        b"<i a='",
        b"<!--",
        b"<![CDATA[",
        b"<script>",
        b"<title>",
        b"<select><option>",
        b"</p>",
        b"<svg><p>",
    )
    return [tag * (MB // len(tag)) for tag in tags]


def entities() -> list[bytes]:
    return [
        b"&amp;" * MB,
        b"&" * (5 * MB),
        b"&#" + b"9" * (2 * MB) + b";",
        b"&CounterClockwiseContourIntegral;" * 100_000,
    ]


def attributes() -> list[bytes]:
    many = b"<p " + b" ".join(b"a%d=b" % n for n in range(300_000)) + b">a"
    return [many, b"<p a='" + b"b" * (9 * MB) + b"'>a", b"<p " + b"a" * (9 * MB) + b">a", b"<" + b"a" * (9 * MB)]


def encodings() -> list[bytes]:
    heads = (b"utf-7", b"utf-16", b"iso-2022-jp", b"unicode_escape", b"zip", b"idna", b"x" * 60_000)
    return [b'<meta charset="' + name + b'"><p>' + b"+AGE-a" * 300_000 for name in heads]


ATTACKS = (
    Attack(
        "html-keyed",
        3,
        "120 uploads of heavy HTML at once, with `Idempotency-Key`",
        uploads(heavy, connections=120, keyed=True),
        weight=3,
    ),
    Attack("html-paragraphs", 7, "12 MB of `<p>x`", uploads(lambda: [b"<p>x" * (3 * MB)]), weight=3),
    Attack("html-nested", 1, "nested tables, divs, fonts, lists", uploads(nested)),
    Attack("html-unclosed", 1, "unclosed tags, comments, scripts, titles", uploads(unclosed)),
    Attack("html-entities", 1, "millions of entities", uploads(entities)),
    Attack("html-attributes", 1, "300,000 attributes, values and names of 9 MB", uploads(attributes)),
    Attack("html-encodings", 1, "odd character sets", uploads(encodings)),
    Attack("html-break", 7, "20 MB of `<br>` and `<td>`", uploads(lambda: [b"<br>" * (5 * MB), b"<td>" * (5 * MB)])),
)
