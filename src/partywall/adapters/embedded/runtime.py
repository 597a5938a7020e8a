"""The directory of the engines' sockets, whose paths have at most 107 bytes: below /tmp, for as long as one runs."""

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
    """Each engine that uses it has a shared lock on it; who gets an exclusive one may remove it."""

    path: Path
    account: Account | None
    _descriptor: int | None = field(default=None, init=False)

    def open(self) -> None:
        """Raises EngineError where it is not ours alone: anyone may write to /tmp."""
        _remove_abandoned(self.path.parent)
        while self._descriptor is None:
            self.path.mkdir(mode=0o700, exist_ok=True)
            with contextlib.suppress(FileNotFoundError):  # another start has just removed it, empty as it was
                self._check()
                self._descriptor = _locked(self.path, fcntl.LOCK_SH)
        if self.account is not None:
            os.fchown(self._descriptor, self.account.uid, self.account.gid)

    def close(self, sockets: str) -> None:
        """Without those of the engine that has ended."""
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
                f"{self.path} belongs to {owner}, as whom it was started before: remove it as root"
                f" (sudo rm -r {self.path}), or start as {'root' if owner == ACCOUNT_NAME else owner} again"
            )
        if not stat.S_ISDIR(status.st_mode) or status.st_mode & 0o077:
            raise EngineError(f"{self.path} is not a private directory of ours: remove it (rm -r {self.path})")


def _locked(path: Path, kind: int) -> int | None:
    """None where somebody has just removed it; raises BlockingIOError where it is used and the lock does not wait."""
    try:
        descriptor = os.open(path, os.O_RDONLY | os.O_DIRECTORY | os.O_NOFOLLOW)
    except FileNotFoundError:
        return None
    try:
        fcntl.flock(descriptor, kind)
        if _stands(path, descriptor):
            return descriptor
    except BaseException:
        os.close(descriptor)
        raise
    os.close(descriptor)
    return None


def _stands(path: Path, descriptor: int) -> bool:
    try:
        return os.path.samestat(os.fstat(descriptor), path.lstat())
    except FileNotFoundError:
        return False


def _remove_abandoned(parent: Path) -> None:
    """What engines have left that were killed with whoever had started them."""
    for path in parent.glob(PREFIX + "[0-9a-f]" * HASH_LENGTH):
        _remove_unused(path)


def _remove_unused(path: Path) -> None:
    """Only while it is empty: a socket in it may be that of an engine that outlives a kill."""
    with contextlib.suppress(OSError):  # it is used, or somebody else's
        descriptor = _locked(path, fcntl.LOCK_EX | fcntl.LOCK_NB)
        if descriptor is None:
            return
        try:
            path.rmdir()
        finally:
            os.close(descriptor)
