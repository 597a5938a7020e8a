"""Directories that were to have a name when they were whole, of a process that was killed before."""

from __future__ import annotations

import contextlib
import shutil
import time
from pathlib import Path
from typing import Final

# Nothing that is being made takes so long.
ABANDONED_SECONDS: Final = 3600.0


def remove_abandoned(parent: Path, pattern: str) -> None:
    for path in parent.glob(pattern):
        with contextlib.suppress(OSError):  # another one does the same
            # lint: allow clock - files bear the time of the system's clock
            if path.stat().st_mtime < time.time() - ABANDONED_SECONDS:
                shutil.rmtree(path)
