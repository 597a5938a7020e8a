"""Measures lines and branches with sys.monitoring, for coverage.

The tracer of coverage is called for every line of every library, which doubles the time of the tests. Here a line or
branch of the measured package costs something only until it has been seen. From Python 3.14 on, coverage does the same.
"""

from __future__ import annotations

import sys
from collections import Counter, defaultdict
from collections.abc import Collection, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from types import CodeType
from typing import Final

from coverage.bytecode import BranchArcResolver, bytes_to_lines
from coverage.parser import multiline_map_from_text

_EVENTS: Final = sys.monitoring.events
_LOCAL: Final = _EVENTS.LINE | _EVENTS.BRANCH | _EVENTS.PY_RETURN
_DISABLE: Final[object] = sys.monitoring.DISABLE
# How often a branch that takes one way only is heard in one test: a loop may take it millions of times.
_HEARD: Final = 500

# From a line to the next. To a negative one: leaves the function that begins there. To itself: it has run.
type Arc = tuple[int, int]


@dataclass(slots=True, eq=False)
class _Function:
    """What has been seen of a code object, which this keeps alive: it is found by its id."""

    code: CodeType
    arcs: set[Arc]
    lines: dict[int, int]
    branches: BranchArcResolver
    # By the offset of a branch: the way that it took first, and how often it was heard.
    first: dict[int, int] = field(default_factory=dict)
    heard: Counter[int] = field(default_factory=Counter)
    last: int = 0

    def add_branch(self, offset: int, to: int) -> None:
        arc = self.branches.resolve(offset, to) or (self.lines.get(offset, 0), self.lines.get(to, 0))
        if 0 not in arc:
            self.arcs.add(arc)


class LineMonitor:
    """Measures the functions of the files in `package` without those in `omitted`, from their next call on."""

    def __init__(self, package: Path, omitted: Path, tool: int = sys.monitoring.COVERAGE_ID) -> None:
        self._package, self._omitted = f"{package}/", f"{omitted}/"
        self._tool = tool
        self._files: dict[str, set[Arc]] = defaultdict(set)
        self._functions: dict[int, _Function] = {}
        self._statements: dict[str, dict[int, int]] = {}
        self._muted: set[_Function] = set()

    def start(self) -> None:
        sys.monitoring.use_tool_id(self._tool, __name__)
        sys.monitoring.register_callback(self._tool, _EVENTS.PY_START, self._begin)
        sys.monitoring.register_callback(self._tool, _EVENTS.LINE, self._line)
        sys.monitoring.register_callback(self._tool, _EVENTS.BRANCH, self._branch)
        sys.monitoring.register_callback(self._tool, _EVENTS.PY_RETURN, self._return)
        sys.monitoring.set_events(self._tool, _EVENTS.PY_START)

    def stop(self) -> None:
        sys.monitoring.set_events(self._tool, 0)
        for function in self._functions.values():
            sys.monitoring.set_local_events(self._tool, function.code, 0)
        sys.monitoring.free_tool_id(self._tool)

    def begin_test(self) -> None:
        """Hears again the branches that an earlier test took too often."""
        for function in self._muted:
            function.heard.clear()
            sys.monitoring.set_local_events(self._tool, function.code, 0)
            sys.monitoring.set_local_events(self._tool, function.code, _LOCAL)
        self._muted.clear()

    def arcs(self) -> Mapping[str, Collection[Arc]]:
        """By file."""
        return self._files

    def _begin(self, code: CodeType, _: int) -> object:
        name = code.co_filename
        if id(code) not in self._functions and self._measures(name):
            if name not in self._statements:
                self._statements[name] = multiline_map_from_text(Path(name).read_text("utf-8"))
            lines = bytes_to_lines(code)
            branches = BranchArcResolver(code, lines, self._statements[name])
            self._functions[id(code)] = _Function(code, self._files[name], lines, branches)
            sys.monitoring.set_local_events(self._tool, code, _LOCAL)
        return _DISABLE

    def _measures(self, name: str) -> bool:
        """Whether it is a module: templates run under their own names."""
        return name.startswith(self._package) and not name.startswith(self._omitted) and name.endswith(".py")

    def _line(self, code: CodeType, line: int) -> object:
        function = self._functions[id(code)]
        function.arcs.add((line, line))
        if function.last not in (0, line):
            function.arcs.add((function.last, line))
        function.last = line
        return _DISABLE

    def _return(self, code: CodeType, offset: int, _: object) -> object:
        function = self._functions[id(code)]
        if (line := function.lines.get(offset)) is not None:
            function.arcs.add((line, -code.co_firstlineno))
        function.last = 0
        return _DISABLE

    def _branch(self, code: CodeType, offset: int, to: int) -> object:
        """Python 3.13 switches off both ways of a branch or none."""
        function = self._functions[id(code)]
        first = function.first.get(offset)
        if first == to:
            function.heard[offset] += 1
            if function.heard[offset] < _HEARD:
                return None
            self._muted.add(function)
            return _DISABLE
        function.add_branch(offset, to)
        function.first.setdefault(offset, to)
        return None if first is None else _DISABLE
