"""Reads the files of a package, which may be anything: large, no files, or links to elsewhere."""

from __future__ import annotations

import io
import tokenize
from collections.abc import Iterator
from itertools import islice
from pathlib import Path
from typing import Final

from partywall.core.system_errors import explained

BYTES_AT_MOST: Final = 1_000_000
FILES_AT_MOST: Final = 1_000


class NoPackageError(Exception):
    """The directory contains no package that can be checked; in one line."""


def python_files(root: Path) -> Iterator[Path]:
    """Raises NoPackageError if there are too many."""
    found = list(islice(root.rglob("*.py"), FILES_AT_MOST + 1))
    if len(found) > FILES_AT_MOST:
        raise NoPackageError(f"{root} contains more than {FILES_AT_MOST} Python files: split the package")
    return iter(sorted(found))


def read_file(file: Path, within: Path) -> bytes:
    """Raises FileNotFoundError, or NoPackageError if the file cannot be read whole."""
    try:
        if not file.resolve().is_relative_to(within.resolve()):
            raise NoPackageError(f"{file} leads out of the package: replace the link with a file")
        if file.exists() and not file.is_file():
            raise NoPackageError(f"{file} is no regular file: remove or rename it")
        with file.open("rb") as opened:
            content = opened.read(BYTES_AT_MOST + 1)
    except FileNotFoundError:
        raise
    except OSError as error:
        raise NoPackageError(f"{explained(error)}: make it readable") from error
    if len(content) > BYTES_AT_MOST:
        raise NoPackageError(f"{file} is larger than {BYTES_AT_MOST} bytes: split it")
    return content


def python_text(content: bytes) -> str:
    """Decoded as Python does it. Raises SyntaxError or ValueError."""
    encoding, _ = tokenize.detect_encoding(io.BytesIO(content).readline)
    return io.TextIOWrapper(io.BytesIO(content), encoding).read()
