"""The line monitor finds what coverage's own tracer would find."""

from __future__ import annotations

import importlib.util
from collections.abc import Iterator
from pathlib import Path
from types import ModuleType

import pytest
from coverage import Coverage

from tests.line_monitor import LineMonitor

SOURCE = """\
def choose(value):
    if value:
        return 1
    for _ in range(value):
        pass
    return 2

def count(numbers):
    found = 0
    for number in numbers:
        if number < 0:
            found += 1
        elif number > 5:
            with open("/dev/null"):
                found += 1
    if found:
        return found

def find(wanted):
    for number in range(1_000):
        if number == wanted:
            break

async def stop():
    return 3
"""
BRANCHES = [2, 4, 10, 11, 13, 16, 20, 21]
TOOL = 4


@pytest.fixture
def file(tmp_path: Path) -> Path:
    (tmp_path / "sample.py").write_text(SOURCE)
    return tmp_path / "sample.py"


@pytest.fixture
def monitor(file: Path) -> Iterator[LineMonitor]:
    monitor = LineMonitor(file.parent, file.parent / "omitted", tool=TOOL)
    monitor.start()
    yield monitor
    monitor.stop()


@pytest.fixture
def sample(file: Path, monitor: LineMonitor) -> ModuleType:
    return load(file)


def load(file: Path) -> ModuleType:
    spec = importlib.util.spec_from_file_location("sample", file)
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


def missing(monitor: LineMonitor, file: Path) -> tuple[list[int], list[int]]:
    """The lines that did not run, and those from which not every way was taken."""
    coverage = Coverage(data_file=None, branch=True, config_file=False)
    data = coverage.get_data()
    data.add_arcs(monitor.arcs())
    lines, branches = coverage.analysis2(str(file))[3], coverage.branch_stats(str(file))
    data.close(force=True)
    return lines, sorted(line for line, (ways, taken) in branches.items() if taken < ways)


def test_each_line_and_each_way_counts(sample: ModuleType, monitor: LineMonitor, file: Path) -> None:
    assert missing(monitor, file) == ([2, 3, 4, 5, 6, 9, 10, 11, 12, 13, 14, 15, 16, 17, 20, 21, 22, 25], BRANCHES)
    sample.choose(1)
    sample.count([1, -1])
    assert missing(monitor, file) == ([4, 5, 6, 14, 15, 20, 21, 22, 25], [2, 4, 13, 16, 20, 21])
    sample.choose(0)
    sample.count([6])
    sample.count([])
    assert missing(monitor, file) == ([5, 20, 21, 22, 25], [4, 20, 21])


def test_a_way_taken_often_does_not_hide_the_other(sample: ModuleType, monitor: LineMonitor, file: Path) -> None:
    sample.find(None)
    assert 21 in missing(monitor, file)[1]
    monitor.begin_test()
    sample.find(0)
    assert 21 not in missing(monitor, file)[1]


def test_files_elsewhere_are_not_measured(file: Path) -> None:
    monitor = LineMonitor(file.parent, file.parent, tool=TOOL)
    monitor.start()
    try:
        load(file).choose(1)
    finally:
        monitor.stop()
    assert monitor.arcs() == {}


def test_a_template_runs_unmeasured(file: Path, monitor: LineMonitor) -> None:
    """Jinja compiles templates under the names of their files, which are no Python."""
    template = file.with_suffix(".txt")
    template.write_text("It's {{ value }}")
    found: dict[str, int] = {}
    exec(compile("value = 1", str(template), "exec"), found)  # noqa: S102 - as Jinja does
    assert found["value"] == 1
    assert str(template) not in monitor.arcs()
