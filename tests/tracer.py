"""Turns the coverage tracer off and on. Each change takes milliseconds: Python prepares every function again."""

from __future__ import annotations

from typing import Final

import pytest
from coverage import Coverage

from tests.server import UNMEASURED


class Tracer:
    def __init__(self) -> None:
        self._stopped: Coverage | None = None
        self._patch = pytest.MonkeyPatch()

    def follow(self, *, measured: bool) -> None:
        """While it is off, processes that are started are not measured either."""
        if measured and self._stopped is not None:
            self._patch.undo()
            self._stopped.start()
            self._stopped = None
        elif not measured and (running := Coverage.current()) is not None:
            running.stop()
            self._stopped = running
            for name, value in UNMEASURED.items():
                self._patch.setenv(name, value)


TRACER: Final = Tracer()
