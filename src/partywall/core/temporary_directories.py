"""Removes unfinished directories of processes that were killed."""

from __future__ import annotations

import contextlib
import shutil
import time
from pathlib import Path
from typing import Final

# No directory takes this long to fill.
ABANDONED_SECONDS: Final = 3600.0


def remove_abandoned(parent: Path, pattern: str) -> None:
    for path in parent.glob(pattern):
        with contextlib.suppress(OSError):  # another process may remove it too
            # lint: allow clock - file times come from the system clock
            if path.stat().st_mtime < time.time() - ABANDONED_SECONDS:
                shutil.rmtree(path)
