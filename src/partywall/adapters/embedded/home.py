from __future__ import annotations

import hashlib
import os
import secrets
import shutil
import tempfile
from dataclasses import dataclass
from pathlib import Path

from partywall.adapters.embedded import runtime, wheels
from partywall.adapters.embedded.account import Account, service_account
from partywall.adapters.embedded.errors import EngineError
from partywall.core.git_ignore import keep_out_of_git

LOG_BYTES_KEPT = 10_000_000


@dataclass(frozen=True, slots=True)
class Home:
    """The engines' directories for one data directory, and the account that runs them."""

    directory: Path
    runtime: Path
    account: Account | None

    def engine_directory(self, name: str) -> Path:
        """The engine's directory, of mode 0700 and owned by the account."""
        path = self.directory / name
        path.mkdir(mode=0o700, exist_ok=True)
        self.chown(path)
        return path

    def chown(self, path: Path) -> None:
        owner = path.stat().st_uid
        if self.account is None or owner == self.account.uid:
            return
        if owner != 0:
            raise EngineError(f"{path} belongs to user {owner}: start as that user, not as root")
        os.chown(path, self.account.uid, self.account.gid)

    def secret(self, name: str) -> str:
        """A password, created on first use and kept in a file of mode 0600."""
        folder = self.directory / "secrets"
        folder.mkdir(mode=0o700, exist_ok=True)
        path = folder / name
        if not path.exists():
            draft = folder / f".{name}.{os.getpid()}"
            write_private(draft, secrets.token_urlsafe(24))
            draft.replace(path)
        return path.read_text()

    def log_file(self, name: str) -> Path:
        """A log file of mode 0600, because logs may quote data; rotates one over LOG_BYTES_KEPT."""
        path = self.directory / f"{name}.log"
        if path.exists() and path.stat().st_size > LOG_BYTES_KEPT:
            path.replace(path.with_suffix(".log.1"))
        path.touch(mode=0o600)
        return path

    def remove(self) -> None:
        """Delete all files of the engines. For tests and temporary servers."""
        shutil.rmtree(self.runtime, ignore_errors=True)
        shutil.rmtree(self.directory, ignore_errors=True)


def write_private(path: Path, text: str) -> None:
    descriptor = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o600)
    with os.fdopen(descriptor, "w") as file:
        file.write(text)
        file.flush()
        os.fsync(file.fileno())


def open_home(data_dir: Path) -> Home:
    """Create the data directory if needed, and locate the engines' files."""
    account = service_account()
    if not data_dir.is_dir():
        _create(data_dir, 0o700 if account is None else 0o711)
    data_dir = data_dir.resolve()
    directory = data_dir if account is None else _reachable(data_dir, account)
    return Home(directory, runtime.PARENT / f"{runtime.PREFIX}{_short_hash(directory)}", account)


def _create(directory: Path, mode: int) -> None:
    """Create it atomically with its mode: both engines may do so at once."""
    if directory.exists() and not directory.is_dir():
        raise EngineError(f"{directory} is not a directory")
    try:
        directory.parent.mkdir(parents=True, exist_ok=True)
        draft = Path(tempfile.mkdtemp(prefix=f".{directory.name}-", dir=directory.parent))
    except OSError as error:
        # Users do not know the temporary name.
        raise OSError(error.errno, error.strerror, str(directory)) from error
    draft.chmod(mode)
    keep_out_of_git(draft)
    try:
        draft.rename(directory)
    except OSError:
        shutil.rmtree(draft)
        if not directory.is_dir():
            raise


def _reachable(data_dir: Path, account: Account) -> Path:
    """`data_dir`, or the directory recorded in it if the account cannot reach it (a closed home)."""
    record = data_dir / "engines.location"
    if not record.exists():
        if account.can_traverse(data_dir):
            return data_dir
        _choose_location(data_dir, record)
    directory = Path(record.read_text().strip())
    if not directory.is_dir():
        raise EngineError(f"{record} names {directory}, which is gone: restore it, or remove {data_dir}")
    return directory


def _choose_location(data_dir: Path, record: Path) -> None:
    # A new name each time: a recreated data directory must not find old data.
    directory = wheels.system_directory(f"{_short_hash(data_dir)}-{secrets.token_hex(2)}")
    (directory / "data_dir").write_text(f"{data_dir}\n")
    draft = data_dir / f".{directory.name}"
    write_private(draft, f"{directory}\n")
    try:
        record.hardlink_to(draft)
    except FileExistsError:  # the other engine of this directory was faster
        shutil.rmtree(directory)
    draft.unlink()


def _short_hash(path: Path) -> str:
    return hashlib.sha256(str(path).encode()).hexdigest()[: runtime.HASH_LENGTH]
