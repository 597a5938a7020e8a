"""Writes results into the last column of a page's tables, in rows that name attacks in backticks."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from pathlib import Path

from bench.hostile.monitor import PARTS
from bench.hostile.normal_traffic import DUE
from bench.hostile.report import Round, failures

NAMES = re.compile(r"`([a-z0-9-]+)`")


def fill(page: Path, rounds: Sequence[Round]) -> None:
    """Fills the page's rows; those of attacks that did not run stay unchanged."""
    made = {each.attack.name: each for each in rounds}
    lines = [_filled(line, made) for line in page.read_text().split("\n")]
    page.write_text("\n".join(lines))


def named_in(line: str) -> list[str]:
    """The attacks named in the row's first cell; none if the line is not a row."""
    cells = line.split("|")
    return NAMES.findall(cells[1]) if len(cells) > 2 else []


def _filled(line: str, made: Mapping[str, Round]) -> str:
    found = [made[name] for name in named_in(line) if name in made]
    if not found or len(found) < len(named_in(line)):
        return line
    return f"{line.rstrip().rstrip('|').rpartition('|')[0]}| {_worst(found)} |"


def _worst(found: Sequence[Round]) -> str:
    """Over all of them: the slowest honest request, failures and most memory."""
    samples = [sample for each in found for sample in each.samples]
    slowest = max((1000 * sample.seconds for sample in samples if sample.name not in DUE), default=0.0)
    memory = [f"{part} {max(each.above.get(part, 0.0) for each in found):+.0f} MB" for part in PARTS]
    return f"{slowest:.0f} ms, {failures(samples)} failed, {', '.join(memory)}"
