"""Finds the page headers and footers of a PDF. The first of each is kept, and what may be text."""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Iterator, Sequence
from dataclasses import replace
from typing import Final

from partywall.features.documents.readers.layout import one_line
from partywall.features.documents.readers.pdf_lines import Line, is_heading

_EDGE: Final = 3  # lines of a header or footer, at most
_LONGEST: Final = 300  # line of a header; each of its numbers is compared with its text
_FEWEST_PAGES: Final = 3
_FEWEST_LETTERS: Final = 20  # of a page header in large type
_FEWEST_LINES: Final = 3  # of a page with a header
_SHARE: Final = 0.4  # of the pages; left and right pages may have two different headers
_FEWEST_GAPS: Final = 5
_WIDER: Final = 1.5  # than the gaps between lines of the page
_RUN_STEP: Final = 2
_NUMBER: Final = re.compile(r"\d{1,9}|\b[ivxlcIVXLC]{1,9}\b")
_ROMAN: Final = {"i": 1, "v": 5, "x": 10, "l": 50, "c": 100}

type _Mark = tuple[str, int, str, int]


def without_headers(pages: Sequence[Sequence[Line]], usual: float) -> list[list[Line]]:
    """`usual` is the size of type of the text. No page that had lines is empty."""
    edges = [[line for line in _apart(lines) if len(line.text) <= _LONGEST] for lines in pages]
    shown = _repeated(edges, usual)
    others = [[line for line in lines if id(line) not in shown] for lines in edges]
    shown.update(dict.fromkeys(_runs(others, usual)))
    found: list[list[Line]] = []
    for lines in pages:
        rest = [kept for line in lines if (kept := shown.get(id(line), line)) is not None]
        found.append(rest or list(lines))
    return found


def _apart(lines: Sequence[Line]) -> Iterator[Line]:
    """The first and the last lines of a page, by their place, if a gap is between them and the text.

    The gap is wider than most of those between the lines of the page, and the larger part of the page is text: forms
    have wide gaps everywhere, or groups of lines.
    """
    placed = sorted((line for line in lines if line.size > 0), key=lambda line: -line.top)
    if len(placed) < _FEWEST_LINES:
        return
    gaps: list[float] = []
    low = placed[0].bottom
    for line in placed[1:]:
        gaps.append(low - line.top)
        low = min(low, line.bottom)
    least = _widest(gaps)
    most = min(_EDGE, len(gaps))
    first = next((at for at in range(1, most + 1) if gaps[at - 1] > max(least, placed[at - 1].size)), 0)
    last = next((at for at in range(1, most + 1) if gaps[-at] > max(least, placed[-at].size)), 0)
    if first + last == len(placed):  # one gap: the larger part is the text
        first, last = (first if first < last else 0), (last if last < first else 0)
    if 2 * (first + last) > len(placed):
        return
    yield from placed[:first]
    yield from placed[len(placed) - last :]


def _widest(gaps: Sequence[float]) -> float:
    """What most gaps between the lines of a page do not exceed. Of few gaps, one or two are at a header or footer."""
    ordered = sorted(gaps)
    last = len(gaps) - 1
    return max(_WIDER * ordered[last // 4], ordered[3 * last // 4] + 1 if last >= _FEWEST_GAPS else 0.0)


def _repeated(edges: Sequence[Sequence[Line]], usual: float) -> dict[int, Line | None]:
    """Lines, by identity, that many pages have with the same numbers or those of the page: the first, and None."""
    if len(edges) < _FEWEST_PAGES:
        return {}
    least = max(_FEWEST_PAGES, _SHARE * len(edges))
    marked = [[(line, list(_marks(line, number, usual))) for line in lines] for number, lines in enumerate(edges)]
    counted = Counter(
        mark for lines in marked for mark in {mark for _, places in lines for marks in places for mark in marks}
    )
    seen: set[tuple[_Mark, ...]] = set()
    found: dict[int, Line | None] = {}
    for number, lines in enumerate(marked):
        for line, places in lines:
            usual_marks = [[mark for mark in marks if counted[mark] >= least] for marks in places]
            if not all(usual_marks):
                continue
            key = tuple(marks[0] for marks in usual_marks)
            is_first = key not in seen and any(map(str.isalpha, line.text))
            shown = replace(line, size=usual) if number else line  # no heading, unless of the first page
            found[id(line)] = shown if is_first else None
            seen.add(key)
    return found


def _marks(line: Line, page: int, usual: float) -> Iterator[tuple[_Mark, ...]]:
    """What other pages may have: the text, and each number as it is or counting with the pages."""
    text, numbers = _numbers_of(line, usual)
    yield ((text, -1, "same", 0),)
    for at, number in enumerate(numbers):
        yield (text, at, "same", number), (text, at, "counts", number - page)


def _runs(edges: Sequence[Sequence[Line]], usual: float) -> Iterator[int]:
    """The lines, by identity, of headers and footers that change by chapter, but for the first of each run.

    A run has the same text at the same place, apart from the number of the page, on this page and the next or the one
    after that: left and right pages may differ.
    """
    begun: dict[tuple[str, int, float], tuple[int, list[int], list[Line]]] = {}
    for number, lines in enumerate(edges):
        for line in lines:
            if is_heading(line, usual) or not any(map(str.isalpha, line.text)):
                continue
            text, numbers = _numbers_of(line, usual)
            key = text, round(line.top), line.size
            before, counted, run = begun.get(key, (number, numbers, []))
            goes_on = number - before <= _RUN_STEP and _counts_on(counted, numbers, number - before)
            run = [*run[1 - _FEWEST_PAGES :], line] if goes_on else [line]
            begun[key] = number, numbers, run
            if len(run) == _FEWEST_PAGES:
                yield from map(id, run[1:])


def _counts_on(before: Sequence[int], numbers: Sequence[int], pages: int) -> bool:
    """Whether each number is the same, or that of the page."""
    return all(after - first in (0, pages) for first, after in zip(before, numbers, strict=True))


def _numbers_of(line: Line, usual: float) -> tuple[str, list[int]]:
    """The text without its numbers, and these. Headings such as `Chapter 2` keep theirs."""
    text = one_line(line.text)
    plain = _NUMBER.sub("#", text)
    if is_heading(line, usual) and sum(map(str.isalpha, plain)) < _FEWEST_LETTERS:
        return text, []
    return plain, [_value(number) for number in _NUMBER.findall(text)]


def _value(number: str) -> int:
    if number.isdecimal():
        return int(number)
    values = [_ROMAN[letter] for letter in number.lower()]
    return sum(-one if one < after else one for one, after in zip(values, [*values[1:], 0], strict=True))
