"""Paths and layers of this repository, for the architecture tests."""

from __future__ import annotations

import subprocess
from dataclasses import replace
from functools import cache
from pathlib import Path

from partywall.checks.source import Codebase
from partywall.features.registry import FEATURES

ROOT = Path(__file__).parents[2]
PACKAGE = ROOT / "src" / "partywall"
SLICES = PACKAGE / "features"


@cache
def feature_order() -> tuple[str, ...]:
    """The slices from the lowest to the highest."""
    return tuple(feature.name for feature in FEATURES)


@cache
def codebase() -> Codebase:
    """The source without `partywall.testing`, which is part of the tests."""
    found = Codebase.read(PACKAGE, feature_order())
    return replace(found, sources=tuple(each for each in found.sources if not each.inside("testing")))


@cache
def tracked_files() -> tuple[Path, ...]:
    """The files that git tracks or would offer to track; every file if the sources came without git."""
    listed = subprocess.run(
        ["git", "ls-files", "--cached", "--others", "--exclude-standard", "-z"],
        cwd=ROOT,
        capture_output=True,
        check=False,
    )
    if listed.returncode == 0:
        paths = (ROOT / name for name in listed.stdout.decode().split("\0") if name)
        return tuple(path for path in paths if path.is_file())
    return tuple(path for path in ROOT.rglob("*") if path.is_file() and not _is_hidden(path))


def _is_hidden(path: Path) -> bool:
    return any(part.startswith(".") for part in path.relative_to(ROOT).parts)
