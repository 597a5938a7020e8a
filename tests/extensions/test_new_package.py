"""What `partywall new feature` writes works as it is."""

from __future__ import annotations

import asyncio
import json
import os
import re
import sys
from dataclasses import asdict
from pathlib import Path

import pytest

from partywall.extensions.new_package import write_package
from partywall.testing.engines import APART, Urls
from tests.server import UNMEASURED


@pytest.mark.parametrize(
    ("chosen", "passed"), [("tests/test_items.py", 5), pytest.param("tests", 10, marks=pytest.mark.soak)]
)
async def test_its_tests_pass_and_the_attack_finds_nothing(
    engines: Urls, tmp_path: Path, chosen: str, passed: int
) -> None:
    package = tmp_path / "bookmarks"
    write_package("bookmarks", package)
    info = tmp_path / "partywall_bookmarks-0.1.0.dist-info"
    info.mkdir()
    (info / "METADATA").write_text("Metadata-Version: 2.1\nName: partywall-bookmarks\nVersion: 0.1.0\n")
    (info / "entry_points.txt").write_text("[partywall.features]\nbookmarks = bookmarks.feature:feature\n")
    facts = tmp_path / "engines.json"
    facts.write_text(json.dumps(asdict(engines)))
    process = await asyncio.create_subprocess_exec(
        sys.executable, "-m", "pytest", chosen, "-v", "-p", "no:cacheprovider",
        "--disable-plugin-autoload", "-p", "pytest_asyncio.plugin",  # loading the others takes seconds
        cwd=package,
        env={**os.environ, **UNMEASURED, APART: str(facts), "PYTHONPATH": f"{tmp_path}:{package / 'src'}"},
        stdout=asyncio.subprocess.PIPE,
        stderr=asyncio.subprocess.STDOUT,
    )  # fmt: skip
    said = (await process.communicate())[0].decode()
    outcomes = re.findall(r"::(\w+) (PASSED|FAILED|ERROR)", said)
    assert (process.returncode, len(outcomes)) == (0, passed), said
