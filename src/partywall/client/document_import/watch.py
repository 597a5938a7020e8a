"""Watches a folder by looking at it again and again.

Looking finds every change, also those made between two looks, and works on network drives, where systems report no
events.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from pathlib import Path

from partywall.client.document_import.scan import FileFilter, ScanResult, scan

type Stamp = tuple[int, int, int]


@dataclass(frozen=True, slots=True)
class Look:
    """`ready` are the files that are new or changed, and have stayed the same since the look before."""

    found: ScanResult
    stamps: dict[Path, Stamp]
    ready: list[Path]


@dataclass(slots=True)
class FolderWatch:
    source: Path
    choice: FileFilter
    _imported: dict[Path, Stamp] = field(default_factory=dict)
    _before: dict[Path, Stamp] = field(default_factory=dict)

    def look(self) -> Look:
        found = scan(self.source, self.choice)
        stamps = {path: stamp for path in found.files if (stamp := _stamp(path)) is not None}
        ready = [
            path
            for path, stamp in stamps.items()
            if self._imported.get(path) != stamp and self._before.get(path) == stamp
        ]
        self._before = stamps
        return Look(found, stamps, ready)

    def note_imported(self, look: Look, files: list[Path]) -> None:
        """They are not ready again until they change."""
        self._imported = {path: stamp for path, stamp in self._imported.items() if path in look.stamps}
        self._imported |= {path: look.stamps[path] for path in files if path in look.stamps}


def _stamp(path: Path) -> Stamp | None:
    try:
        found = path.stat()
    except OSError:
        return None
    return found.st_mtime_ns, found.st_size, found.st_ino
