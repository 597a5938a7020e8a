"""What `partywall new feature` writes works as it is."""

from __future__ import annotations

import asyncio
import json
import os
import re
import sys
import tarfile
from dataclasses import asdict
from pathlib import Path

import pytest
from hatchling.builders.sdist import SdistBuilder

from partywall.core.feature import FeatureError
from partywall.extensions.new_package import write_package
from partywall.testing.engines import APART, Urls
from tests.extensions.packages import Install


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
        env={**os.environ, APART: str(facts), "PYTHONPATH": f"{tmp_path}:{package / 'src'}"},
        stdout=asyncio.subprocess.PIPE,
        stderr=asyncio.subprocess.STDOUT,
    )  # fmt: skip
    said = (await process.communicate())[0].decode()
    outcomes = re.findall(r"::(\w+) (PASSED|FAILED|ERROR)", said)
    assert (process.returncode, len(outcomes)) == (0, passed), said


@pytest.mark.parametrize("name", ["orders_b", "orders"])
def test_a_name_like_that_of_an_installed_feature_is_refused(install: Install, tmp_path: Path, name: str) -> None:
    install()
    with pytest.raises(FeatureError, match=f"the feature {name} has a name like the installed feature orders: choose"):
        write_package(name, tmp_path / "new")


def test_its_archive_has_no_data_of_a_deployment_that_ran_in_it(tmp_path: Path) -> None:
    package = tmp_path / "bookmarks"
    write_package("bookmarks", package)
    for name in (".data/secret.key", "other-data/secret.key", ".env"):
        (package / name).parent.mkdir(exist_ok=True)
        (package / name).write_text("secret")
    assert {".data/", ".env"} <= set((package / ".gitignore").read_text().splitlines())
    [archive] = SdistBuilder(str(package)).build(directory=str(tmp_path / "dist"))
    with tarfile.open(archive) as packed:
        names = {name.partition("/")[2] for name in packed.getnames()}
    assert {"README.md", "tests/test_items.py", "src/bookmarks/migrations/0001_items.py"} <= names
    assert not {name for name in names if "secret" in name or name == ".env"}
