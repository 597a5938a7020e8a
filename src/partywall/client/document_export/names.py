"""File names for documents, valid on every system: Linux, macOS and Windows."""

from __future__ import annotations

import hashlib
import re
import unicodedata
from pathlib import PurePosixPath
from typing import Final

from partywall.formats.file_kinds import MEDIA_TYPES

# In bytes. With the folder's own path they fit into Windows' 260 characters.
LONGEST_NAME: Final = 100
LONGEST_PATH: Final = 160
# Windows may take a short name like `git~1` for that of another file.
_FORBIDDEN: Final = re.compile(r'[<>:"|?*]|~(?=\d{1,6}(?:\.|$))')
_SEPARATOR: Final = re.compile(r"[/\\]")
_RESERVED: Final = frozenset(
    {"con", "prn", "aux", "nul"} | {f"{each}{n}" for each in ("com", "lpt") for n in range(10)}
)
# Programs act on these unasked: git runs what a folder with a `HEAD` configures, Windows what the other two name.
_UNASKED: Final = frozenset({"head", "autorun.inf", "desktop.ini"})
_SUFFIXES: Final = {type_: suffix for suffix, type_ in reversed(MEDIA_TYPES.items())}


class FileNames:
    """Gives each document a path of its own, also where letter case does not count. No part of one ends with `~`."""

    def __init__(self) -> None:
        self._files: set[str] = set()
        self._folders: set[str] = set()

    def give(self, external_id: str | None, title: str, media_type: str) -> str:
        wanted = external_id if external_id is not None else title.replace("/", "_") + _SUFFIXES.get(media_type, "")
        path = safe_path(wanted)
        for number in range(1000):
            mark = hashlib.sha256(f"{wanted}{number or ''}".encode(errors="replace")).hexdigest()[:8]
            tried = path if path == wanted and not number else _marked(path, mark)
            if self.take(tried):
                return tried
            # A file has the name of its folder.
            path = path if number < 2 else path.rpartition("/")[2]
        raise AssertionError("a thousand names are taken")

    def take(self, path: str) -> bool:
        """Returns whether the path was free."""
        folded = unicodedata.normalize("NFC", path.casefold())
        folders = {str(each) for each in PurePosixPath(folded).parents} - {"."}
        if folded in self._files or folded in self._folders or folders & self._files:
            return False
        self._files.add(folded)
        self._folders |= folders
        return True


def safe_path(name: str) -> str:
    """A relative path without `..`, as similar to `name` as possible."""
    parts = [safe for part in _SEPARATOR.split(name) if (safe := _safe_part(part))]
    path = "/".join(parts) or "document"
    return path if len(path.encode()) <= LONGEST_PATH else _shortened(parts[-1], LONGEST_NAME)


def is_inert(path: str) -> bool:
    return not any(_is_hidden(part) or part.casefold() in _UNASKED for part in path.split("/"))


def _safe_part(part: str) -> str:
    text = unicodedata.normalize("NFC", part.encode(errors="replace").decode())
    text = _FORBIDDEN.sub("_", "".join(each if each.isprintable() else "_" for each in text))
    text = _shortened(text.strip(" ").rstrip(". ~"), LONGEST_NAME)
    if _is_hidden(text):
        text = f"_{text[1:]}"
    is_taken = text.partition(".")[0].strip().lower() in _RESERVED or text.casefold() in _UNASKED
    return f"_{text}" if is_taken else text


def _is_hidden(part: str) -> bool:
    """Programs run what is in hidden files and folders: `.git`, `.envrc`, `.vscode`. Some systems fold characters."""
    first = next((each for each in part if not unicodedata.category(each).startswith("M")), "")
    return unicodedata.normalize("NFKC", first).startswith(".")


def _shortened(part: str, longest: int) -> str:
    """Keeps the suffix."""
    if len(part.encode()) <= longest:
        return part
    suffix = PurePosixPath(part).suffix
    suffix = suffix if len(suffix.encode()) <= 10 else ""
    stem = part.removesuffix(suffix).encode()[: longest - len(suffix.encode())].decode(errors="ignore")
    return stem.rstrip(". ~") + suffix


def _marked(path: str, mark: str) -> str:
    folder, slash, name = path.rpartition("/")
    suffix = PurePosixPath(name).suffix
    return f"{folder}{slash}{name.removesuffix(suffix)}~{mark}{suffix}"
