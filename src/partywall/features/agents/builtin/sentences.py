"""Splits text into sentences. In doubt it splits, so that no claim is covered by another sentence's citation."""

from __future__ import annotations

import re
from collections.abc import Iterator
from typing import Final

_PUNCTUATION: Final = re.compile(r"(?:[^\w\s\[]|_)++")
_BLANKS: Final = re.compile(r"\s*")
_NUMBERS: Final = re.compile(r"(?:\s*\[\d{1,3}(?:\s*,\s*\d{1,3})*\])*")
# These end a sentence only before a blank, the end or a number in brackets; wide stops never occur inside a word.
_STOP: Final = re.compile(r"[.!?\u2026]")
_WIDE_STOP: Final = re.compile(
    r"[\u3002\uff01\uff1f\uff61\uff0e\u0964\u0965\u061f\u06d4\u0589\u1362\u17d4\u104b\u203c\u2047-\u2049]"
)
_ELLIPSIS: Final = re.compile(r"\u2026|\.\.")
_QUOTES: Final = "\"'\u201c\u201d\u2018\u2019\u00ab\u00bb\u203a\u2039\u300d\u300f"
# The number or letter of a list item.
_ITEM: Final = re.compile(r"^\W*(?:\d{1,3}|[^\W\d_]|[ivxIVX]{2,5})[.)]\s+")
_ABBREVIATED: Final = re.compile(
    r"""(?<![\w.])(?:
    (?P<always>e\.\s?g | i\.\s?e | z\.\s?B | d\.\s?h | u\.\s?a | p\.\s?ex | p\.\s?ej
        | dr | mr | mrs | ms | prof | sr | sra | mme | mlle | cf | vs | viz | approx | ca
        | bzw | vgl | ggf | evtl | inkl | exkl | zzgl | sog | mio | mrd | tsd)
    | (?P<ordinal>\d{1,2})
    | (?:[^\W\d_]{1,2}\.){1,3}[^\W\d_]{1,2}
    | (?P<numbered>no | nos | nr | art | abs | ziff | kap | fig | tab | eq | app | sec | sect | ch | vol | para | p | pp
        | jan | feb | mar | apr | jun | jul | aug | sep | sept | oct | nov | dec)
    | etc | usw | al | inc | ltd | co | corp | dept | jr | min | max | avg | incl | excl | esp
    )\.""",
    re.VERBOSE | re.IGNORECASE,
)
_MONTH: Final = re.compile(r"Jan|J\xe4n|Feb|M\xe4r|Apr|Mai|Jun|Jul|Aug|Sep|Okt|Nov|Dez")


def sentences(text: str) -> Iterator[str]:
    """Sentences, each with the numbers in brackets after its stop. Takes time linear in the text for any input."""
    for passage in _passages(text):
        yield from _split(passage)


def _passages(text: str) -> Iterator[str]:
    """The lines of the text; a line that ends in a colon is joined with the next one."""
    pending: list[str] = []
    for line in text.splitlines():
        if not (said := _ITEM.sub("", line.strip())):
            continue
        pending.append(said)
        if not said.rstrip("*_ ").endswith((":", "\uff1a")):
            yield " ".join(pending)
            pending = []
    yield " ".join(pending)


def _split(passage: str) -> Iterator[str]:
    plain = _ABBREVIATED.sub(_without_stops, passage)
    at = 0
    for run in _PUNCTUATION.finditer(plain):
        if run.start() >= at and _ends(plain, run):
            numbers = _NUMBERS.match(plain, run.end())
            end = numbers.end() if numbers else run.end()
            yield passage[at:end].strip()
            at = end
    yield passage[at:].strip()


def _without_stops(found: re.Match[str]) -> str:
    """The abbreviation with its stops replaced by characters of the same length, unless it ends a sentence."""
    plain = found.group().replace(".", "\u00b7")
    if found["always"]:
        return plain
    at = _after_blanks(found.string, found.end())
    follows = found.string[at : at + 1]
    if found["ordinal"]:
        return plain if follows.islower() or _MONTH.match(found.string, at) else found.group()
    goes_on = follows.isdigit() or (follows.islower() and not found["numbered"])
    return plain if goes_on else found.group()


def _ends(text: str, run: re.Match[str]) -> bool:
    """Whether this run of punctuation ends a sentence."""
    found, after = run.group(), text[run.end() : run.end() + 1]
    if _WIDE_STOP.search(found):
        return True
    if not _STOP.search(found) or not (after in ("", "[") or after.isspace()):
        return False
    at = _after_blanks(text, run.end())
    if not text[at : at + 1].islower():
        return True
    omission = _ELLIPSIS.search(found) and not text[max(0, run.start() - 1) : run.start()].isalnum()
    return not omission and found[-1] not in _QUOTES


def _after_blanks(text: str, at: int) -> int:
    blanks = _BLANKS.match(text, at)
    return blanks.end() if blanks else at
