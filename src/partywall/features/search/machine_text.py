"""Finds machine-written parts of a text: embedded images, keys, minified programs, source maps.

They are not indexed: nobody searches for them, and each would become hundreds of passages.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator
from itertools import pairwise
from typing import Final

SHOWN: Final = 9600
"""Characters that are indexed of minified text, from its beginning. Encoded bytes are not indexed at all."""

_LONGEST_WORD: Final = 256
_WINDOW: Final = 1000
# Prose has a space every six characters, minified programs every fifty; between two such stretches every ten.
_DENSE: Final = 0.06
_DENSE_BETWEEN: Final = 0.1
_MOST_FOREIGN: Final = 0.1  # the languages written without spaces do not use ASCII

# Base64 in both alphabets, hexadecimal and percent-encoding. The lookbehind and the possessive quantifier keep the time
# linear.
_ENCODED: Final = re.compile(rf"(?<![A-Za-z0-9+/=_%-])[A-Za-z0-9+/=_%-]{{{_LONGEST_WORD},}}+")
_DATA_URI: Final = re.compile(rf"\bdata:[a-z]++/[^\s\"'()<>\]]{{{_LONGEST_WORD},}}+", re.IGNORECASE)
# Four or more lines of nothing else, as in keys, certificates and mails.
_WRAPPED: Final = re.compile(
    r"^[ \t>]*+[A-Za-z0-9+/=]{60,}+[ \t]*+(?:\r?\n[ \t>]*+[A-Za-z0-9+/=]{60,}+[ \t]*+){3,}+", re.MULTILINE
)

# A path or an identifier has short parts of one case or in words; base64 changes its kind of character after two.
_JOINT: Final = re.compile(r"[-/_=+\s>]++")
_LONGEST_PART: Final = 59  # a wrapped line has 60
_PIECE: Final = re.compile(r"[A-Z]+(?![a-z])|[A-Z]?[a-z]++|[^A-Za-z]++")
_SHORTEST_PIECE: Final = 2.5  # on average

_SOURCE_MAP: Final = re.compile(r"\s*+\{[^{}]{0,1000}?\"version\"\s*+:\s*+3\b")

type Span = tuple[int, int]


def readable(content: str) -> list[Span]:
    """The spans that people wrote, in order."""
    left_out = _union([*_encoded(content), *_minified(content)])
    edges = [0, *(edge for span in left_out for edge in span), len(content)]
    return [(start, end) for start, end in list(pairwise(edges))[::2] if start < end]


def _encoded(content: str) -> Iterator[Span]:
    yield from (found.span() for found in _DATA_URI.finditer(content))
    for pattern in (_ENCODED, _WRAPPED):
        for found in pattern.finditer(content):
            yield from (span for span in _windows(*found.span()) if not _is_written(content[slice(*span)]))


def _windows(start: int, end: int) -> Iterator[Span]:
    """The rest at the end belongs to the last one."""
    return pairwise([start, *range(start + _WINDOW, end - _WINDOW + 1, _WINDOW), end])


def _is_written(run: str) -> bool:
    """Whether people wrote it: a path, or words that are joined."""
    parts = [part for part in _JOINT.split(run) if part]
    if not parts or max(map(len, parts)) > _LONGEST_PART or "%" in run:
        return False
    pieces = sum(len(_PIECE.findall(part)) for part in parts)
    return run == run.lower() or sum(map(len, parts)) >= _SHORTEST_PIECE * pieces


def _minified(content: str) -> Iterator[Span]:
    """What follows the first SHOWN characters of each dense stretch, or of a source map."""
    dense = [(0, len(content))] if _is_source_map(content) else _union(_dense(content), apart=2)
    return ((start + SHOWN, end) for start, end in dense if end - start > SHOWN)


def _is_source_map(content: str) -> bool:
    return _SOURCE_MAP.match(content) is not None and '"mappings"' in content


def _dense(content: str) -> Iterator[Span]:
    """Stretches of long lines with hardly any white space."""
    start = 0
    for line in content.splitlines(keepends=True):
        if len(line) >= _WINDOW:
            yield from ((start + first, start + last) for first, last in _dense_in_line(line))
        start += len(line)


def _dense_in_line(line: str) -> Iterator[Span]:
    """Measures windows of the line; the rest at its end belongs to the last one."""
    begins = range(0, len(line) - _WINDOW + 1, _WINDOW)
    edges = [*begins, len(line)]
    found: list[Span] = []
    waiting: list[Span] = []  # may lie between two stretches
    for first, last in pairwise(edges):
        space = _space(line[first:last])
        if space <= _DENSE:
            found += (*waiting, (first, last))
        waiting = [*waiting, (first, last)] if found and _DENSE < space <= _DENSE_BETWEEN else []
    yield from found


def _space(window: str) -> float:
    """The share of white space; 1 for text in a language that may be written without."""
    if not window.isascii() and len(window.encode("ascii", "ignore")) < (1 - _MOST_FOREIGN) * len(window):
        return 1
    return (window.count(" ") + window.count("\t")) / len(window)


def _union(spans: Iterable[Span], apart: int = 0) -> list[Span]:
    """Sorted spans; those at most `apart` characters apart are joined."""
    joined: list[Span] = []
    for start, end in sorted(spans):
        if joined and start <= joined[-1][1] + apart:
            joined[-1] = (joined[-1][0], max(joined[-1][1], end))
        else:
            joined.append((start, end))
    return joined
