"""Chooses the files of a folder to import; names the others with a reason."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from fnmatch import fnmatchcase
from pathlib import Path
from typing import Final

from partywall.client.document_import.files import KINDS, LINES, holds_documents
from partywall.formats.file_kinds import IMAGES, SOURCE_CODE

# Thousands of third-party files: imported only if --include names them.
DEPENDENCIES: Final = {"node_modules", "__pycache__", "site-packages"}
# Office programs keep one beside each open file, with its ending.
TEMPORARY: Final = "~$"


@dataclass(frozen=True, slots=True)
class SkippedFile:
    """A file or folder that is not imported; `name` is its path in the source."""

    name: str
    reason: str


@dataclass(frozen=True, slots=True)
class FileFilter:
    """Shell patterns. One without `/` is matched against the file name, any other against the path in the folder."""

    include: Sequence[str] = ()
    exclude: Sequence[str] = ()

    def skips(self, name: str) -> str | None:
        if any(_matches(name, pattern) for pattern in self.exclude):
            return "excluded"
        if self.include and not self.includes(name):
            return "not included"
        return None

    def includes(self, name: str) -> bool:
        return any(_matches(name, pattern) for pattern in self.include)


@dataclass(frozen=True, slots=True)
class ScanResult:
    """`files` are in the order of their paths."""

    files: list[Path] = field(default_factory=list)
    skipped: list[SkippedFile] = field(default_factory=list)


def scan(source: Path, choice: FileFilter | None = None) -> ScanResult:
    """`source` is a folder or one file. Links are not followed: they may leave the folder or form a cycle."""
    chosen, found = choice or FileFilter(), ScanResult()
    if source.is_file():
        if (reason := _kind_reason(source, source.name, chosen)) is None:
            found.files.append(source)
        else:
            found.skipped.append(SkippedFile(source.name, reason))
        return found
    for path in _walk(source, found.skipped, chosen):
        name = path.relative_to(source).as_posix()
        reason = _reason(path, name, chosen) or chosen.skips(name) or _content_reason(path)
        if reason is None:
            found.files.append(path)
        else:
            found.skipped.append(SkippedFile(name, reason))
    return found


def _walk(source: Path, skipped: list[SkippedFile], choice: FileFilter) -> Iterator[Path]:
    def unreadable(error: OSError) -> None:
        name = Path(error.filename).relative_to(source).as_posix()
        skipped.append(SkippedFile(f"{name}/", (error.strerror or str(error)).lower()))

    for folder, folders, names in source.walk(on_error=unreadable):
        entered: list[str] = []
        for name in sorted(folders):
            path = folder / name
            reason = _folder_reason(path, choice)
            if reason is None:
                entered.append(name)
            else:
                skipped.append(SkippedFile(f"{path.relative_to(source).as_posix()}/", reason))
        folders[:] = entered
        yield from (folder / name for name in sorted(names))


def _folder_reason(path: Path, choice: FileFilter) -> str | None:
    if path.name.startswith("."):
        return "hidden"
    if path.name in DEPENDENCIES and not any(path.name in pattern.split("/") for pattern in choice.include):
        return "dependencies"
    return None


def _reason(path: Path, name: str, choice: FileFilter) -> str | None:
    if path.is_symlink():
        return "a link"
    if path.name.startswith("."):
        return "hidden"
    if path.name.startswith(TEMPORARY):
        return "a temporary file"
    if not path.is_file():
        return "not a regular file"
    return _kind_reason(path, name, choice)


def _kind_reason(path: Path, name: str, choice: FileFilter) -> str | None:
    """Source code and images are imported only if --include names them: many folders of documents contain some."""
    kind = path.suffix.lower()
    if kind in KINDS or (kind in SOURCE_CODE | IMAGES and choice.includes(name)):
        return None
    if kind in SOURCE_CODE | IMAGES:
        return f"{kind} files are {'source code' if kind in SOURCE_CODE else 'images'}"
    return f"{kind} files are not supported" if kind else "no file name extension"


def _content_reason(path: Path) -> str | None:
    if path.suffix.lower() in LINES and not holds_documents(path):
        return "its lines are not {id, title, text}"
    return None


def _matches(name: str, pattern: str) -> bool:
    pattern = pattern.removeprefix("./")
    if "/" not in pattern:
        return fnmatchcase(name.rpartition("/")[2], pattern)
    return fnmatchcase(name, pattern) or (pattern.endswith("/") and name.startswith(pattern))
