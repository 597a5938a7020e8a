"""The availability page names every hostile request that `make bench-hostile` sends, once."""

from __future__ import annotations

from bench.hostile.attacks import ATTACKS
from bench.hostile.page import named_in
from tests.architecture.layout import ROOT

PAGE = ROOT / "docs" / "explanation" / "availability.md"


def rows() -> list[list[str]]:
    lines = [line for line in PAGE.read_text().splitlines() if named_in(line)]
    return [[cell.strip() for cell in line.strip("|").split("|")] for line in lines]


def test_every_attack_stands_in_one_row() -> None:
    named = [name for line in PAGE.read_text().splitlines() for name in named_in(line)]
    assert sorted(named) == sorted(ATTACKS)


def test_every_row_says_what_bounds_the_attack() -> None:
    assert [row for row in rows() if len(row) != 4 or not row[1] or not row[2]] == []
