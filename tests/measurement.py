"""What `coverage run -m pytest` measures: this process with the line monitor, others with coverage's own tracer."""

from __future__ import annotations

import os
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Final

import pytest
from coverage import Coverage

import partywall
from tests.line_monitor import LineMonitor

_ROOT: Final = Path(__file__).parents[1]
# Coverage measures a new process that finds its configuration here.
_OF_PROCESSES: Final = "COVERAGE_PROCESS_CONFIG"


class Measurement:
    def __init__(self) -> None:
        package = Path(partywall.__file__).parent
        self._monitor = LineMonitor(package, package / "testing")
        self._coverage: Coverage | None = None
        self._of_processes = ""

    def begin(self, *, measured: bool) -> None:
        """Stops the tracer, if it runs, and measures instead of it if `measured`."""
        if (running := Coverage.current()) is not None:
            running.stop()
            if measured:
                self._coverage = running
                self._of_processes = os.environ.pop(_OF_PROCESSES, "")
                self._monitor.start()

    @contextmanager
    def of_test(self, *, processes: bool) -> Iterator[None]:
        """`processes`: also of those that it starts."""
        if self._coverage is not None:
            self._monitor.begin_test()
        with pytest.MonkeyPatch.context() as patch:
            if self._coverage is not None and processes:
                patch.setenv(_OF_PROCESSES, self._of_processes)
            yield

    def end(self) -> None:
        if self._coverage is not None:
            self._monitor.stop()
            found = self._monitor.arcs()  # by absolute names; coverage's `relative_files` wants relative ones
            self._coverage.get_data().add_arcs({str(Path(name).relative_to(_ROOT)): found[name] for name in found})
            self._coverage = None


MEASUREMENT: Final = Measurement()
