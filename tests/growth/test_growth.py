"""No text makes a pattern or a parser exceed its time limit: time grows with the length, not with its square."""

from __future__ import annotations

import gc
import re
import sys
from contextlib import suppress
from functools import cache
from time import process_time
from typing import Final

import pytest

from tests.architecture.layout import codebase
from tests.architecture.lints.patterns import readers
from tests.growth.inventory import PLACES, READERS, UNFED
from tests.growth.reader import Reader
from tests.growth.shapes import HOSTILE, Shape

SIZE: Final = 16 * 1024
"""Twice as much, looked at from each of its characters, takes half a second and more."""
QUICK: Final = 0.03
"""Seconds for 2 * SIZE characters that leave no room for the square."""
REFERENCE: Final = 0.02
"""Seconds of `_repeat` where the limits were set."""
GROWTH: Final = 3.0
"""Of twice the text; 2 where time grows with the length, and 4 where it does with its square."""


@pytest.mark.parametrize("reader", READERS, ids=lambda each: each.places[0] if each.places else each.feed.__name__)
def test_no_reader_is_slow_on_any_shape(reader: Reader) -> None:
    slow = {name: why for name, shape in {**HOSTILE, **reader.shapes}.items() if (why := _complaint(reader, shape))}
    assert slow == {}


def _complaint(reader: Reader, shape: Shape) -> str | None:
    size = min(SIZE, reader.most // 2)
    taken = _seconds(reader, shape(2 * size))
    if taken > QUICK * _slowness():
        taken = min(taken, _least(reader, shape(2 * size)))
    if taken > QUICK * _slowness() and reader.most > 2 * SIZE:
        growth = _growth(reader, shape, size)
        if growth >= GROWTH and (growth := min(_growth(reader, shape, size) for _ in range(2))) >= GROWTH:
            return f"twice the text takes {growth:.1f} times as long"
    whole = taken * reader.most / (2 * size)
    return f"{reader.most:,} characters take {whole:.2f} s" if whole > reader.seconds * _slowness() else None


def _growth(reader: Reader, shape: Shape, size: int) -> float:
    return _least(reader, shape(2 * size)) / _least(reader, shape(size))


def _least(reader: Reader, text: str) -> float:
    return min(_seconds(reader, text) for _ in range(2))


@cache
def _slowness() -> float:
    """The factor of CPU time compared with the machine on which the limits were set; at least 2."""
    return 2 * max(1.0, _least(Reader((), _repeat, 1), "") / REFERENCE)


def _repeat(_text: str) -> None:
    for _ in range(20):
        re.findall(r"(\w+) (?=\w)", "one word and another " * 2_000)


def _seconds(reader: Reader, text: str) -> float:
    """Without garbage collection, which takes longer the more other tests have imported."""
    gc.disable()
    started = process_time()
    try:
        with suppress(*reader.refusing):
            reader.feed(text)
        return process_time() - started
    finally:
        gc.enable()


def test_the_inventory_lists_only_existing_places() -> None:
    """The lint `patterns` finds what is missing from it."""
    there = {f"{source.path}:{place}" for source in codebase().sources for place, _ in readers(source)}
    assert there >= PLACES, sorted(PLACES - there)
    assert not UNFED.keys() & {place for reader in READERS for place in reader.places}


def test_the_test_detects_quadratic_time(monkeypatch: pytest.MonkeyPatch) -> None:
    """On any machine: quick readers are checked too."""
    monkeypatch.setattr(sys.modules[__name__], "QUICK", 0.0)

    def squared(text: str) -> None:
        for start in range(0, len(text), 8):
            text[start:].count("\x00x")

    assert _complaint(Reader((), squared, 10_000_000, seconds=1e9), HOSTILE["one word"])
