"""Third-party programs that tests run in front of ours: the one on PATH, or one that is downloaded and unpacked.

Nothing is installed and root is not needed: the system's package manager downloads the package, which is kept.
"""

from __future__ import annotations

import os
import re
import shutil
import subprocess
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Final

import pytest
from filelock import FileLock

KEPT: Final = Path(__file__).parents[2] / "build" / "programs"
_SEARCHED: Final = os.pathsep.join([os.environ.get("PATH", ""), "/usr/sbin", "/sbin"])
_SECONDS: Final = 60
_QUICKLY: Final = ("-o", "Acquire::Retries=0", "-o", "Acquire::http::Timeout=10", "-o", "Acquire::https::Timeout=10")


@dataclass(frozen=True, slots=True)
class Program:
    path: str
    libraries: str | None = None

    @property
    def environment(self) -> dict[str, str]:
        return dict(os.environ) if self.libraries is None else {**os.environ, "LD_LIBRARY_PATH": self.libraries}


class MissingProgramError(Exception):
    """Names what is missing, in one line."""


def require_program(name: str) -> Program:
    """The program of the package of the same name. Skips the test where there is none."""
    try:
        return find_program(name)
    except MissingProgramError as missing:
        pytest.skip(str(missing))


def find_program(name: str) -> Program:
    if (path := shutil.which(name, path=_SEARCHED)) is not None:
        return Program(path)
    KEPT.mkdir(parents=True, exist_ok=True)
    with FileLock(KEPT / f"{name}.lock", timeout=2 * _SECONDS):
        root = KEPT / name
        if not root.is_dir():
            _fetch(name, root)
    path = shutil.which(name, path=os.pathsep.join(str(root / "usr" / part) for part in ("sbin", "bin")))
    if path is None:
        raise MissingProgramError(f"{name} is not on PATH, and its package holds no program of that name")
    return Program(path, os.pathsep.join(_library_directories(root)) or None)


def _fetch(name: str, root: Path) -> None:
    """The package and those of its libraries that this system lacks."""
    if shutil.which("apt-get") is None or shutil.which("dpkg") is None:
        raise MissingProgramError(f"{name} is not on PATH, and there is no apt-get to fetch it with")
    new = root.with_name(f"{name}.new")
    shutil.rmtree(new, ignore_errors=True)
    new.mkdir()
    wanted, seen = [name], set[str]()
    while wanted:
        package = wanted.pop()
        seen.add(package)
        file = _download(package, new)
        _run("dpkg", "-x", str(file), str(new))
        wanted += [each for each in _libraries(file) if each not in seen]
        file.unlink()
    new.rename(root)


def _download(package: str, directory: Path) -> Path:
    before = set(directory.glob("*.deb"))
    _run("apt-get", "-q", *_QUICKLY, "download", package, directory=directory)
    [file] = set(directory.glob("*.deb")) - before
    return file


def _libraries(file: Path) -> Iterator[str]:
    """The shared libraries that a package depends on and that are not installed."""
    for dependency in _run("dpkg-deb", "-f", str(file), "Depends").split(","):
        package = re.match(r"\s*([a-z0-9.+-]+)", dependency)
        if package is not None and re.match(r"lib.*\d", package[1]) and not _is_installed(package[1]):
            yield package[1]


def _is_installed(package: str) -> bool:
    asked = ["dpkg-query", "-W", "-f", "${db:Status-Status}", package]
    return subprocess.run(asked, capture_output=True, text=True, check=False).stdout == "installed"


def _library_directories(root: Path) -> list[str]:
    return sorted({str(path.parent) for part in ("usr/lib", "lib") for path in (root / part).rglob("lib*.so*")})


def _run(*command: str, directory: Path | None = None) -> str:
    try:
        done = subprocess.run(command, cwd=directory, capture_output=True, text=True, timeout=_SECONDS, check=True)
    except subprocess.CalledProcessError as error:
        reason = (error.stderr.strip().splitlines() or [f"exit code {error.returncode}"])[-1]
        raise MissingProgramError(f"{command[-1]} is not on PATH and cannot be fetched: {reason}") from None
    except subprocess.TimeoutExpired:
        raise MissingProgramError(f"{command[-1]} is not on PATH and was not fetched within {_SECONDS} s") from None
    return done.stdout
