"""Unified diffs of two texts by lines, in time that grows with their size, whatever they contain.

Lines that occur once in both texts are the fixed points (patience diff); what lies between two of them is compared in
the same way. A part without such lines is compared exactly if it is small, and otherwise shown as replaced.
"""

from __future__ import annotations

from bisect import bisect_left
from collections import Counter
from collections.abc import Iterator, Sequence
from difflib import SequenceMatcher
from io import StringIO
from typing import Final, NamedTuple

# Pairs of lines that are compared exactly, in one part and in all.
_SMALL: Final = 10_000
_ALL_SMALL: Final = 200_000
# How often a line may be looked at on average.
_LOOKS: Final = 30


class Range(NamedTuple):
    """Lines of both texts: from `a` up to, not including, `to_a`; and likewise of the second text."""

    a: int
    to_a: int
    b: int
    to_b: int


def unified(before: str, after: str, context: int) -> Iterator[str]:
    """The hunks of a unified diff, line by line; nothing for equal texts."""
    known: dict[str, str] = {}
    a, b = _lines(before, known), _lines(after, known)
    for hunk in _hunks(changes(a, b), len(a), len(b), context):
        start, end = hunk[0], hunk[-1]
        yield f"@@ -{_place(start.a, end.to_a)} +{_place(start.b, end.to_b)} @@\n"
        yield from _lines_of(hunk, a, b)


def _lines(text: str, known: dict[str, str]) -> list[str]:
    """With their ends, equal lines as one object. Only a line feed ends a line: a form feed separates pages."""
    return [known.setdefault(line, line) for line in StringIO(text, newline="\n")]


def changes(a: Sequence[str], b: Sequence[str]) -> list[Range]:
    """The parts that differ, in order."""
    found: list[Range] = []
    budget, looks = _ALL_SMALL, _LOOKS * (len(a) + len(b))
    waiting = [Range(0, len(a), 0, len(b))]
    while waiting:
        part = _trimmed(waiting.pop(), a, b)
        if part.a == part.to_a or part.b == part.to_b:
            if part.a != part.to_a or part.b != part.to_b:
                found.append(part)
            continue
        looks -= part.to_a - part.a + part.to_b - part.b
        between = _between_anchors(part, a, b) if looks > 0 else None
        if between is not None:
            waiting.extend(reversed(between))
            continue
        pairs = (part.to_a - part.a) * (part.to_b - part.b)
        if pairs <= min(_SMALL, budget):
            budget -= pairs
            found.extend(_exact(part, a, b))
        else:
            found.append(part)
    return found


def _trimmed(part: Range, a: Sequence[str], b: Sequence[str]) -> Range:
    """The part without the equal lines at its beginning and end."""
    start_a, to_a, start_b, to_b = part
    while start_a < to_a and start_b < to_b and a[start_a] == b[start_b]:
        start_a, start_b = start_a + 1, start_b + 1
    while start_a < to_a and start_b < to_b and a[to_a - 1] == b[to_b - 1]:
        to_a, to_b = to_a - 1, to_b - 1
    return Range(start_a, to_a, start_b, to_b)


def _between_anchors(part: Range, a: Sequence[str], b: Sequence[str]) -> list[Range] | None:
    """The parts between the fixed points; None if there are none."""
    counts_a, counts_b = Counter(a[part.a : part.to_a]), Counter(b[part.b : part.to_b])
    places = {b[at]: at for at in range(part.b, part.to_b) if counts_b[b[at]] == 1}
    pairs = [(at, places[a[at]]) for at in range(part.a, part.to_a) if counts_a[a[at]] == 1 and a[at] in places]
    if not pairs:
        return None
    ranges: list[Range] = []
    at_a, at_b = part.a, part.b
    for anchor_a, anchor_b in _longest_increasing(pairs):
        ranges.append(Range(at_a, anchor_a, at_b, anchor_b))
        at_a, at_b = anchor_a + 1, anchor_b + 1
    ranges.append(Range(at_a, part.to_a, at_b, part.to_b))
    return ranges


def _longest_increasing(pairs: Sequence[tuple[int, int]]) -> list[tuple[int, int]]:
    """The longest subsequence whose second numbers increase; the first ones do already."""
    smallest: list[int] = []
    last: list[int] = []
    before: list[int] = []
    for index, (_, place) in enumerate(pairs):
        at = bisect_left(smallest, place)
        before.append(last[at - 1] if at else -1)
        smallest[at : at + 1] = [place]
        last[at : at + 1] = [index]
    chosen: list[tuple[int, int]] = []
    index = last[-1]
    while index >= 0:
        chosen.append(pairs[index])
        index = before[index]
    return chosen[::-1]


def _exact(part: Range, a: Sequence[str], b: Sequence[str]) -> Iterator[Range]:
    matcher = SequenceMatcher(None, a[part.a : part.to_a], b[part.b : part.to_b], autojunk=False)
    for tag, start_a, to_a, start_b, to_b in matcher.get_opcodes():
        if tag != "equal":
            yield Range(part.a + start_a, part.a + to_a, part.b + start_b, part.b + to_b)


def _hunks(found: Sequence[Range], size_a: int, size_b: int, context: int) -> Iterator[list[Range]]:
    """Changes whose context overlaps, between two empty ranges that mark where the context begins and ends."""
    group: list[Range] = []
    for change in found:
        if group and change.a - group[-1].to_a > 2 * context:
            yield _framed(group, size_a, size_b, context)
            group = []
        group.append(change)
    if group:
        yield _framed(group, size_a, size_b, context)


def _framed(group: list[Range], size_a: int, size_b: int, context: int) -> list[Range]:
    first, last = group[0], group[-1]
    ahead = min(context, first.a, first.b)
    behind = min(context, size_a - last.to_a, size_b - last.to_b)
    start = Range(first.a - ahead, first.a - ahead, first.b - ahead, first.b - ahead)
    end = Range(last.to_a + behind, last.to_a + behind, last.to_b + behind, last.to_b + behind)
    return [start, *group, end]


def _place(start: int, end: int) -> str:
    """As `diff -u` writes it: from 1, and for no lines the line before."""
    length = end - start
    return str(start + 1) if length == 1 else f"{start + 1 if length else start},{length}"


def _lines_of(hunk: Sequence[Range], a: Sequence[str], b: Sequence[str]) -> Iterator[str]:
    at = hunk[0].a
    for change in hunk[1:]:
        yield from (_line(" ", line) for line in a[at : change.a])
        yield from (_line("-", line) for line in a[change.a : change.to_a])
        yield from (_line("+", line) for line in b[change.b : change.to_b])
        at = change.to_a


def _line(sign: str, line: str) -> str:
    return f"{sign}{line}" if line.endswith("\n") else f"{sign}{line}\n\\ No newline at end of file\n"
