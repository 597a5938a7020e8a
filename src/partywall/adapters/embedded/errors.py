from __future__ import annotations

from pathlib import Path


class EngineError(Exception):
    """An embedded engine cannot run; the message is one line that says what to do."""


class DirectoryHeld(EngineError):
    """Another process holds the directory's lock."""

    def __init__(self, directory: Path, pid: str) -> None:
        super().__init__(f"{directory} is in use by process {pid}: stop it, or set another DATA_DIR")
        self.directory = directory
        self.pid = pid
