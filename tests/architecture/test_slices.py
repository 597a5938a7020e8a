"""Every slice's service and schemas have their own tests, which call them without a server."""

from __future__ import annotations

import ast
from pathlib import Path

import pytest

from tests.architecture.layout import ROOT, SLICES

LAYERS = ("service", "schemas")
MODULES = sorted(path for layer in LAYERS for path in SLICES.glob(f"*/{layer}.py"))


def test_the_slices_are_seen() -> None:
    assert len(MODULES) > 15


@pytest.mark.parametrize("module", MODULES, ids=lambda path: f"{path.parent.name}-{path.stem}")
def test_it_has_tests_of_its_own(module: Path) -> None:
    tests = ROOT / "tests" / "features" / module.parent.name / f"test_{module.stem}.py"
    assert tests.is_file(), f"{tests.relative_to(ROOT)}: tests what {module.stem} decides, without HTTP"
    nodes = list(ast.walk(ast.parse(tests.read_text())))
    imported = {node.module for node in nodes if isinstance(node, ast.ImportFrom)}
    assert f"partywall.features.{module.parent.name}.{module.stem}" in imported
    assert any(
        node.name.startswith("test_") for node in nodes if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef)
    )
