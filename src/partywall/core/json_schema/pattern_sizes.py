"""Estimates the compiled size of a pattern of Rust's regex crate, before it is compiled.

The byte numbers were measured for the largest construct of each kind, compiled forwards and backwards, including what
matching adds. Syntax that this module does not know is refused, so that no pattern is larger than its estimate.
"""

from __future__ import annotations

import re
from typing import Final, NamedTuple

_ESCAPE: Final = (
    r"\\(?:x(?P<two>[0-9A-Fa-f]{2})|u(?P<four>[0-9A-Fa-f]{4})|U(?P<eight>[0-9A-Fa-f]{8})"
    r"|[xuU]\{(?P<braced>[0-9A-Fa-f]{1,8})\}|(?P<property>[pP](?:\{[^{}]*\}|[A-Za-z]))|(?P<escaped>[^pPxuU]))"
)
_TOKEN: Final = re.compile(
    rf"{_ESCAPE}|(?P<flags>\(\?[imsU-]+\))|(?P<open>\((?:\?(?:P?<[A-Za-z_]\w*>|[imsU-]*:)|(?!\?)))"
    r"|(?P<repeated>[*+?]|\{\s*(?P<least>\d{1,9})\s*(?:,\s*(?:(?P<most>\d{1,9})\s*)?)?\})"
    r"|(?P<class>\[\^?)|(?P<plain>[^\\\[({])",
    re.ASCII | re.DOTALL,
)
_ITEM: Final = re.compile(rf"{_ESCAPE}|(?P<posix>\[:\^?[a-z]{{1,10}}:\])|(?P<plain>[^\\\[])", re.ASCII | re.DOTALL)
_FOLDING: Final = re.compile(r"\(\?[msU-]*i")

_ASCII: Final = 128
_PLAIN, _WIDE, _JOINED = 150, 400, 100
_ANY, _MEMBER, _WIDE_MEMBER, _WIDE_RANGE = 2_500, 100, 400, 2_500
_KINDS: Final = {"d": 10_000, "D": 30_000, "s": 3_000, "S": 15_000, "w": 110_000, "W": 110_000, "[:": 3_000}
# Case-insensitive matching: more variants of a character, and a lookup for each character of a class.
_FOLDED, _FOLDED_CHARACTER, _MOST_FOLDED, _FOLDED_SET = 4, 300, 3_000, 400_000
_PROPERTY: Final = 120_000
# Word boundaries make the engine build a table for the whole pattern.
_TABLE, _LARGEST_TABLE = 6, 1_100_000
_LOOKING: Final = "bB<>"
_ENDLESS: Final = 10**12


class UnsupportedPatternError(ValueError):
    """The pattern needs a feature that the engine lacks, or uses syntax that this module does not read."""


class Size(NamedTuple):
    """`compiled` is in bytes; `positions` is how many places of the pattern can be active at once, with repetitions.

    `once` is the cost, in bytes, of work that repetitions do not multiply.
    """

    compiled: int
    positions: int = 0
    once: int = 0

    def times(self, count: int) -> Size:
        return Size(min(self.compiled * count, _ENDLESS), min(self.positions * count, _ENDLESS), self.once)


class Measured(NamedTuple):
    """The pattern without capturing groups, for which the engine would build a table, and its maximum size."""

    pattern: str
    size: Size


def measured(pattern: str) -> Measured:
    """Raises UnsupportedPatternError. Takes time linear in the pattern."""
    sizes = _Sizes(pattern)
    while sizes.at < len(pattern):
        sizes.read()
    return sizes.whole()


class _Sizes:
    def __init__(self, pattern: str) -> None:
        self.at = 0
        self._pattern = pattern
        self._folds = _FOLDING.search(pattern) is not None
        self._looks = False
        self._groups: list[list[Size]] = [[]]
        self._written: list[str] = []

    def read(self) -> None:
        """Reads the next token: a character, the start of a class or group, or an operator."""
        start = self.at
        token = self._token(_TOKEN)
        self._take(token)
        kept = token["open"] and not token["open"].endswith(":")
        self._written.append("(?:" if kept else self._pattern[start : self.at])

    def _take(self, token: re.Match[str]) -> None:
        if token["repeated"]:
            self._repeat(token)
        elif token["open"]:
            self._groups.append([])
        elif token["class"]:
            self._groups[-1].append(self._class(negated=token["class"] == "[^"))
        elif token["plain"] == ")":
            self._close()
        elif not token["flags"]:
            self._groups[-1].append(self._character(token))

    def whole(self) -> Measured:
        if len(self._groups) > 1:
            raise UnsupportedPatternError
        size = _sum(self._groups[0])
        table = min(size.compiled * _TABLE, _LARGEST_TABLE) if self._looks else 0
        return Measured("".join(self._written), Size(size.compiled + size.once + table, size.positions))

    def _token(self, kind: re.Pattern[str]) -> re.Match[str]:
        token = kind.match(self._pattern, self.at)
        if token is None:
            raise UnsupportedPatternError
        self.at = token.end()
        return token

    def _repeat(self, token: re.Match[str]) -> None:
        if not self._groups[-1]:
            raise UnsupportedPatternError
        count = max(1, int(token["most"] or token["least"] or 1))
        size = self._groups[-1][-1]
        self._groups[-1][-1] = size._replace(compiled=size.compiled + _JOINED).times(count)

    def _close(self) -> None:
        if len(self._groups) == 1:
            raise UnsupportedPatternError
        size = _sum(self._groups.pop())
        self._groups[-1].append(size)

    def _character(self, token: re.Match[str]) -> Size:
        if token["plain"] == ".":
            return Size(_ANY, 1)
        if many := self._many(token):
            return many._replace(positions=1)
        if token["escaped"] and token["escaped"] in _LOOKING:
            self._looks = True
        size = _PLAIN if (_code(token) or 0) < _ASCII else _WIDE
        return Size(size * _FOLDED if self._folds else size, 1)

    def _class(self, *, negated: bool) -> Size:
        """Reads up to the closing bracket; a bracket in first place is a member. Nested classes are refused."""
        members, last, first, in_range = [Size(_ANY if negated else _JOINED, 1)], None, self.at, False
        while True:
            token = self._token(_ITEM)
            if token["plain"] == "]" and token.start() > first:
                return _sum(members)
            code = _code(token)
            members.append(self._many(token) or self._member(code))
            if in_range and last is not None and code is not None:
                members.append(self._range(last, code))
            in_range = token["plain"] == "-" and not in_range
            last = last if in_range else code

    def _member(self, code: int | None) -> Size:
        size = _MEMBER if code is not None and code < _ASCII else _WIDE_MEMBER
        return Size(size * 2 if self._folds else size)

    def _range(self, first: int, last: int) -> Size:
        folded = min(_MOST_FOLDED, abs(last - first)) * _FOLDED_CHARACTER if self._folds else 0
        return Size(0 if last < _ASCII else _WIDE_RANGE, once=folded)

    def _many(self, token: re.Match[str]) -> Size | None:
        """The size of a token that stands for a set of characters; None for others."""
        if token["property"]:
            return Size(_PROPERTY, once=_FOLDED_SET if self._folds else 0)
        kind = token.groupdict().get("posix") or token["escaped"] or ""
        size = _KINDS.get(kind[:2] if kind.startswith("[") else kind)
        if size is None:
            return None
        return Size(size, once=_FOLDED_SET if self._folds and not kind.islower() else 0)


def _sum(sizes: list[Size]) -> Size:
    compiled, positions, once = (sum(each) for each in zip(*sizes, strict=True)) if sizes else (0, 0, 0)
    return Size(_JOINED + compiled, positions, once)


def _code(token: re.Match[str]) -> int | None:
    """The code point of a token that stands for one character."""
    found = token.groupdict()
    if digits := found["two"] or found["four"] or found["eight"] or found["braced"]:
        return int(digits, 16)
    plain = found["plain"] or found["escaped"]
    return ord(plain) if plain else None
