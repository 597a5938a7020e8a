"""Reads files as a worker does, and compares their text with what a person reads in them.

`--files DIR` has a `files.jsonl`, an object a line: `file`, `kind`, `expect` (`text`, `refused`, `no_text`), `needles`
(phrases; ` | ` separates the cells of a row) and `pages` (their pages, or null). `--hostile N` then reads N damaged
variants of these files instead, beginning with that of number `--first`. Run it with `python -m bench.extraction`.
"""

from __future__ import annotations

import argparse
import asyncio
import json
import re
import resource
import time
import unicodedata
from collections import Counter
from collections.abc import AsyncIterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Final

from bench.damaged_files import endure
from partywall.core.text_process.processes import (
    TextLimits,
    TextProcessBusyError,
    TextProcesses,
    TextProcessFailedError,
    TextTooCostlyError,
)
from partywall.features.documents.readers.archive import Entries
from partywall.features.documents.readers.file_text import PAGE_BREAK, FileText, Reason, UnreadableFileError
from partywall.features.documents.readers.process import Asked, read_answer, read_file, request
from partywall.formats.file_kinds import media_type_by_name

_LIMITS: Final = TextLimits(at_once=6, cpu_seconds=10, memory=512 * 1024 * 1024)
_COMPRESSED: Final = 8
_INVISIBLE: Final = re.compile("[\u00ad\u200b-\u200f\u2060\ufeff\u202a-\u202e\u2066-\u2069\ufe00-\ufe0f]")
_QUOTES: Final = str.maketrans({"\u2018": "'", "\u2019": "'", "\u201c": '"', "\u201d": '"', "\u201e": '"'})
_DASHES: Final = re.compile("[\u2010-\u2015\u2212]")
_BETWEEN: Final = r"(?:\s|[^\w\s]|<[^<>]*>)*(?:[\w .-]{1,40}:\s*(?:\s|[^\w\s])*)?"
_REFUSALS: Final = {
    "refused": {Reason.PASSWORD_PROTECTED, Reason.EMPTY, Reason.DAMAGED, Reason.UNSUPPORTED},
    "no_text": {Reason.NO_TEXT},
}


@dataclass(frozen=True, slots=True)
class Sample:
    file: str
    kind: str
    expect: str
    needles: list[str]
    pages: list[int | None]


@dataclass(slots=True)
class Totals:
    needles: Counter[str] = field(default_factory=Counter)
    found: Counter[str] = field(default_factory=Counter)
    pages: int = 0
    right_pages: int = 0
    refusals: int = 0
    right_refusals: int = 0
    seconds: float = 0.0


def folded(text: str) -> str:
    plain = _INVISIBLE.sub("", unicodedata.normalize("NFKC", text).lower()).translate(_QUOTES)
    return " ".join(_DASHES.sub("-", plain).split())


def contains(text: str, needle: str) -> bool:
    cells = [re.escape(folded(cell)) for cell in needle.split(" | ")]
    return re.search(_BETWEEN.join(cells), text) is not None


async def outcome(texts: TextProcesses, name: str, data: bytes) -> FileText | str:
    """The text of a file, or a word for why there is none. For an archive, the texts of the files in it."""
    parts: list[FileText | str] = []
    following: int | None = 0
    while following is not None:
        found = await _answer(texts, name, data, following)
        if not isinstance(found, Entries):
            return found
        following = found.following
        parts += [await outcome(texts, each.path, each.data) for each in found.entries if each.reason is None]
    read = [part.text for part in parts if isinstance(part, FileText)]
    return FileText("\n\n".join(read)) if read else Reason.NO_TEXT


async def _answer(texts: TextProcesses, name: str, data: bytes, first: int) -> FileText | Entries | str:
    async def given() -> AsyncIterator[bytes]:
        yield request(Asked(media_type_by_name(name) or "text/plain", first))
        yield data

    try:
        return read_answer(await texts.run(read_file, given(), len(data) * _COMPRESSED))
    except UnreadableFileError as error:
        return error.reason
    except TextProcessFailedError:
        return "crashed"
    except TextTooCostlyError:
        return Reason.TOO_COSTLY
    except TextProcessBusyError:
        return "busy"


async def compare(texts: TextProcesses, folder: Path, samples: list[Sample]) -> Totals:
    totals = Totals()
    for sample in samples:
        began = time.monotonic()
        found = await outcome(texts, sample.file, (folder / sample.file).read_bytes())
        seconds = time.monotonic() - began
        totals.seconds += seconds
        print(f"{sample.file:34} {seconds:6.2f} s  {_judged(sample, found, totals)}")
    return totals


def _judged(sample: Sample, found: FileText | str, totals: Totals) -> str:
    if sample.expect != "text":
        is_right = found in _REFUSALS[sample.expect]
        totals.refusals += 1
        totals.right_refusals += is_right
        return f"{'right' if is_right else 'WRONG'}: {found if isinstance(found, str) else 'read'}"
    text = "" if isinstance(found, str) else found.text
    whole, pages = folded(text), [folded(page) for page in text.split(PAGE_BREAK)]
    missing = [needle for needle in sample.needles if not contains(whole, needle)]
    totals.needles[sample.kind] += len(sample.needles)
    totals.found[sample.kind] += len(sample.needles) - len(missing)
    for needle, page in zip(sample.needles, sample.pages, strict=True):
        if page is not None:
            totals.pages += 1
            totals.right_pages += page <= len(pages) and contains(pages[page - 1], needle)
    reason = f"  {found}" if isinstance(found, str) else ""
    return f"{len(sample.needles) - len(missing)}/{len(sample.needles)}{reason} {missing or ''}"


async def read_damaged(texts: TextProcesses, folder: Path, samples: list[Sample], numbers: range) -> None:
    bodies = {each.file: (folder / each.file).read_bytes() for each in samples}

    async def end(name: str, data: bytes) -> str:
        found = await outcome(texts, name, data)
        return found if isinstance(found, str) else "read"

    (await endure(end, bodies, numbers, _LIMITS.at_once // 3)).show()


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--files", type=Path, required=True)
    parser.add_argument("--hostile", type=int, default=0)
    parser.add_argument("--first", type=int, default=0)
    asked = parser.parse_args()
    lines = (asked.files / "files.jsonl").read_text().splitlines()
    rows = [json.loads(line) for line in lines]
    samples = [Sample(**{name: row[name] for name in Sample.__slots__}) for row in rows]
    texts = TextProcesses(_LIMITS)
    if asked.hostile:
        asyncio.run(read_damaged(texts, asked.files, samples, range(asked.first, asked.first + asked.hostile)))
        return
    totals = asyncio.run(compare(texts, asked.files, samples))
    for kind, count in sorted(totals.needles.items()):
        print(f"{kind:6} {totals.found[kind]}/{count}")
    found, all_ = totals.found.total(), totals.needles.total()
    print(f"needles {found}/{all_} ({found / all_:.1%}), pages {totals.right_pages}/{totals.pages}")
    used = resource.getrusage(resource.RUSAGE_CHILDREN)
    cpu = (used.ru_utime + used.ru_stime) / len(samples)
    print(f"refusals {totals.right_refusals}/{totals.refusals}")
    print(f"{len(samples) / totals.seconds:.1f} files a second, one after another; {1 / cpu:.1f} in a second of CPU")


if __name__ == "__main__":
    main()
