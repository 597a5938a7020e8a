"""Texts for which careless patterns and parsers need quadratic time, in documents, paths and headers."""

from __future__ import annotations

import itertools
from collections.abc import Awaitable, Callable, Iterable

from bench.hostile.attack import Attack
from bench.hostile.hostile import API, Hostile

MB = 1_000_000
ACUTE, WIDE_BLANK, EMOJI = "\u0301", "\u2003", "\U0001f469\u200d"

type Run = Callable[[Hostile], Awaitable[None]]


def document(build: Callable[[], Iterable[str]], name: str = "a.md") -> Run:
    """Uploads each text once and waits for the worker."""

    async def run(hostile: Hostile) -> None:
        await hostile.set_up()
        uploads = [hostile.upload(text.encode(), name=name) for text in build()]
        hostile.begin()
        await hostile.flood(uploads, connections=2)
        await hostile.wait()

    return run


def paths(*pieces: str, size: int = 60_000) -> Run:
    """Paths of 60 KB, without a credential."""

    async def run(hostile: Hostile) -> None:
        lines = [hostile.ask("GET", f"/api/v1/{piece * (size // len(piece))}") for piece in pieces]
        hostile.begin()
        await hostile.flood(itertools.cycle(lines), connections=2, most=200)

    return run


async def queries(hostile: Hostile) -> None:
    pieces = ("token=", "ticket=a&", "password=x&", "a@b.c&", "%00", "&&&", "q=%F0%9F%98%80&")
    lines = [hostile.ask("GET", f"{API}/projects?{piece * (60_000 // len(piece))}") for piece in pieces]
    hostile.begin()
    await hostile.flood(itertools.cycle(lines), connections=2, most=200)


async def request_ids(hostile: Hostile) -> None:
    values = ("a" * 60_000, "-" * 60_000, "0" * 59_999 + "!", "a b" * 20_000, "\xe9" * 60_000)
    lines = [hostile.ask("GET", f"{API}/projects", X_Request_ID=value) for value in values]
    lines += [hostile.ask("GET", f"{API}/projects", traceparent=value, tracestate=value) for value in values]
    trace = f"00-{'0' * 32}-{'0' * 16}-01"
    states = ",".join(f"k{n}=v" for n in range(10_000))
    lines.append(hostile.ask("GET", f"{API}/projects", traceparent=trace, tracestate=states))
    hostile.begin()
    await hostile.flood(itertools.cycle(lines), connections=2, most=400)


async def titles(hostile: Hostile) -> None:
    """Titles and names; patterns are applied to them too."""
    await hostile.set_up()
    values = ("e" + ACUTE * 499, "\ufdfa" * 500, "# a" + " " * 490 + "b", "a." * 250, WIDE_BLANK * 499 + "a", "@" * 500)
    lines = [hostile.ask("POST", f"{hostile.here}/documents", {"title": v, "content": v * 20}) for v in values]
    lines += [hostile.ask("POST", f"{API}/projects", {"name": v}) for v in values]
    lines += [hostile.ask("PATCH", f"{API}/users/me", {"full_name": v}) for v in values]
    hostile.begin()
    await hostile.flood(itertools.cycle(lines), connections=2, most=200)


async def addresses(hostile: Hostile) -> None:
    """E-mail addresses that are slow to validate."""
    values = ("a" * 200_000 + "@b.c", "a." * 30_000 + "@b.c", "a@" + "b." * 30_000, "a@" + "\u00fc" * 30_000 + ".de")
    lines = [hostile.ask("POST", f"{API}/auth/register", {"email": v, "password": "x" * 20}) for v in values]
    hostile.begin()
    await hostile.flood(itertools.cycle(lines), connections=2, most=100)


ATTACKS = (
    Attack("heading-blanks", 1, "`# a`, 80 KB of blanks, `b`", document(lambda: ["# a" + " " * 80_000 + "b\n"])),
    Attack(
        "heading-blanks-large",
        1,
        "the same with 9 MB of blanks",
        document(lambda: ["# a" + " " * (9 * MB) + "b\n"]),
        weight=3,
    ),
    Attack(
        "heading-tabs",
        1,
        "headings with tabs, wide blanks, closing marks",
        document(lambda: ["# a" + filler * 100_000 + "b\n" for filler in ("\t", WIDE_BLANK, " #", "# ")]),
    ),
    Attack("headings", 1, "1,000,000 headings", document(lambda: ["# a\n" * MB])),
    Attack("newlines", 1, "9 MB of line breaks", document(lambda: ["a" + "\n" * (9 * MB) + "b"])),
    Attack("one-word", 1, "9 MB without a blank", document(lambda: ["a" * (9 * MB)])),
    Attack(
        "full-stops",
        1,
        "4 MB of `.`, `. `, `? ! `",
        document(lambda: [piece * (4 * MB // len(piece)) for piece in (".", ". ", "?! ")]),
    ),
    Attack(
        "combining-marks", 1, "a letter with 1,000,000 accents", document(lambda: ["e" + ACUTE * MB, EMOJI * (MB // 8)])
    ),
    Attack(
        "cjk-wall", 1, "3,000,000 ideographs without a blank", document(lambda: ["\u4e2d\u6587\u66f8" * MB]), weight=3
    ),
    Attack(
        "markdown-nesting",
        1,
        "100,000 quotes, brackets, backticks, stars",
        document(lambda: [piece * 100_000 for piece in ("> ", "[", "`a", "*a_", "- ", "![](", "<!--", "-|", "1. ")]),
    ),
    Attack("normalisation", 1, "1,000,000 ligatures that grow 18-fold", document(lambda: ["\ufdfa" * MB])),
    Attack("titles", 1, "hostile titles, names, contents", titles),
    Attack("addresses", 1, "e-mail addresses of 60 to 200 KB", addresses),
    Attack("path-slashes", 1, "60 KB paths of `/`, `//a`, `/../`", paths("/", "//a", "/../", "%2f", "/.")),
    Attack(
        "path-secrets",
        1,
        "60 KB paths of `@`, digits, `pw_`, `eyJ.`",
        paths("a@", "a@b.", "1", "1-", "pw_", "eyJ.", "eyJa.eyJ", "a.b@", "Bearer%20", "0199-"),
    ),
    Attack("query-strings", 1, "60 KB query strings", queries),
    Attack("trace-headers", 1, "60 KB in `X-Request-ID`, `traceparent`, `tracestate`", request_ids),
)
