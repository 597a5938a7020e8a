from __future__ import annotations

import pytest

from partywall.checks.runner import run
from partywall.checks.source import Codebase
from tests.architecture.layout import PACKAGE, SLICES, codebase, feature_order
from tests.architecture.lints import LINTS


@pytest.fixture(scope="module")
def findings() -> dict[str, list[str]]:
    by_rule: dict[str, list[str]] = {}
    for finding in run(codebase(), LINTS):
        by_rule.setdefault(finding.rule, []).append(str(finding))
    return by_rule


@pytest.mark.parametrize("rule", [*LINTS, "escape"])
def test_source_keeps(rule: str, findings: dict[str, list[str]]) -> None:
    assert not findings.get(rule), "\n".join(["", *findings[rule]])


def test_the_part_of_the_tests_that_is_packaged_keeps_small() -> None:
    sizes = {rule: LINTS[rule] for rule in ("file-size", "function-size")}
    found = run(Codebase.read(PACKAGE / "testing"), sizes)
    assert not found, "\n".join(map(str, ["", *found]))


def test_the_lints_see_the_source() -> None:
    """Without sources, all rules above would pass."""
    assert len(codebase().sources) > 50
    assert {table.name for table in codebase().project_tables} >= {"document", "event"}


def test_the_lints_see_every_statement_in_a_file() -> None:
    named = [text for source in codebase().sources for _, text in codebase().texts(source)]
    for file, text in codebase().statements.items():
        assert named.count(text) == 1, f"{file} is to be named once, by the module that runs it"


def test_every_slice_stands_in_the_order() -> None:
    slices = {path.parent.name for path in SLICES.glob("*/__init__.py")}
    assert slices == set(feature_order())
