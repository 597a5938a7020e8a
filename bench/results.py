"""Prints a benchmark's results: a readable line each, and one line of JSON with facts about the machine."""

from __future__ import annotations

import json
import sys
from collections.abc import Sequence
from dataclasses import dataclass

from bench import machine


@dataclass(slots=True)
class Result:
    name: str
    measured: str
    target: str
    met: bool | None  # None: not measured


def p95(values: Sequence[float]) -> float:
    """The 95th percentile of sorted values."""
    return values[int(len(values) * 0.95)]


def exit_code(missed: Sequence[str]) -> int:
    """Prints the targets that are missed; 1 if there are any."""
    for each in missed:
        print(f"MISSED: {each}", file=sys.stderr)
    return 1 if missed else 0


def report(benchmark: str, results: Sequence[Result]) -> None:
    words = {True: "met", False: "MISSED", None: "not measured"}
    for each in results:
        print(f"{each.name:52} {each.measured}  (target {each.target}): {words[each.met]}")
    found = [{"name": each.name, "measured": each.measured, "met": each.met} for each in results]
    facts = {"machine": machine.facts(), "load": machine.load_average()}
    print(json.dumps({"benchmark": benchmark, **facts, "results": found}))
