"""The directory of the engines' sockets while they run. In /tmp, because socket paths have at most 107 bytes."""

from __future__ import annotations

import contextlib
import fcntl
import os
import stat
from dataclasses import dataclass, field
from pathlib import Path

from partywall.adapters.embedded.account import ACCOUNT_NAME, Account
from partywall.adapters.embedded.errors import EngineError
from partywall.core.system_errors import owner_name

PARENT = Path("/tmp")  # noqa: S108 - its own directory in there is private and checked  # nosec B108
PREFIX = "pw-"
HASH_LENGTH = 12


@dataclass(slots=True)
class RuntimeDirectory:
    """Every engine that uses it holds a shared lock; removing it takes the exclusive lock."""

    path: Path
    account: Account | None
    _descriptor: int | None = field(default=None, init=False)

    def open(self) -> None:
        """Raises EngineError if it is not private: all users may write to /tmp."""
        _remove_abandoned(self.path.parent)
        while self._descriptor is None:
            self.path.mkdir(mode=0o700, exist_ok=True)
            with contextlib.suppress(FileNotFoundError):  # another start has just removed it, as it was empty
                self._check()
                self._descriptor = _locked(self.path, fcntl.LOCK_SH)
        if self.account is not None:
            os.fchown(self._descriptor, self.account.uid, self.account.gid)

    def close(self, sockets: str) -> None:
        """Removes the sockets of the engine that has ended, and the directory if nothing uses it."""
        if self._descriptor is None:
            return
        for socket in self.path.glob(sockets):
            socket.unlink(missing_ok=True)
        os.close(self._descriptor)
        self._descriptor = None
        _remove_unused(self.path)

    def _check(self) -> None:
        status = self.path.lstat()
        allowed = {os.geteuid()} if self.account is None else {0, self.account.uid}
        if stat.S_ISDIR(status.st_mode) and status.st_uid not in allowed:
            owner = owner_name(status.st_uid)
            raise EngineError(
                f"{self.path} belongs to {owner}, who started it before: remove it as root"
                f" (sudo rm -r {self.path}), or start as {'root' if owner == ACCOUNT_NAME else owner} again"
            )
        if not stat.S_ISDIR(status.st_mode) or status.st_mode & 0o077:
            raise EngineError(f"{self.path} is not a private directory of ours: remove it (rm -r {self.path})")


def _locked(path: Path, kind: int) -> int | None:
    """A locked descriptor; None if the directory was just removed. With LOCK_NB raises BlockingIOError if in use."""
    try:
        descriptor = os.open(path, os.O_RDONLY | os.O_DIRECTORY | os.O_NOFOLLOW)
    except FileNotFoundError:
        return None
    try:
        fcntl.flock(descriptor, kind)
        if _is_current(path, descriptor):
            return descriptor
    except BaseException:
        os.close(descriptor)
        raise
    os.close(descriptor)
    return None


def _is_current(path: Path, descriptor: int) -> bool:
    try:
        return os.path.samestat(os.fstat(descriptor), path.lstat())
    except FileNotFoundError:
        return False


def _remove_abandoned(parent: Path) -> None:
    """Removes directories of engines that were killed together with their supervisor."""
    for path in parent.glob(PREFIX + "[0-9a-f]" * HASH_LENGTH):
        _remove_unused(path)


def _remove_unused(path: Path) -> None:
    """Removes it if empty: a socket in it may belong to an engine that outlived its supervisor."""
    with contextlib.suppress(OSError):  # it is in use, or another user's
        descriptor = _locked(path, fcntl.LOCK_EX | fcntl.LOCK_NB)
        if descriptor is None:
            return
        try:
            path.rmdir()
        finally:
            os.close(descriptor)
