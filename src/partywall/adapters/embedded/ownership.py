"""Changes the owner of files that an earlier start as root has left."""

from __future__ import annotations

import os
import stat
from pathlib import Path

from partywall.adapters.embedded.account import ACCOUNT_NAME, Account
from partywall.adapters.embedded.errors import EngineError


def hand_over(path: Path, account: Account) -> None:
    """Makes the account the owner of a file or a directory with its content; does nothing if `path` does not exist.

    A directory is changed last, so one that belongs to the account is done already. Raises EngineError for symbolic
    links, files with several hard links, and files of users other than root and the account.
    """
    try:
        status = path.lstat()
    except FileNotFoundError:
        return
    if status.st_uid == account.uid:
        return
    if stat.S_ISDIR(status.st_mode):
        for _, directories, files, descriptor in os.fwalk(path, topdown=False, follow_symlinks=False, onerror=_raise):
            for name in (*files, *directories):
                _chown(path, name, account, descriptor)
    _chown(path, str(path), account)


def make_private(path: Path, account: Account) -> None:
    """Creates the directory, of mode 0700, for the account. Raises EngineError if it exists and is not writable."""
    if not path.exists():
        path.mkdir(mode=0o700, parents=True)
        os.chown(path, account.uid, account.gid)
    elif not account.may_write(path):
        raise EngineError(f"{path}: the system user {ACCOUNT_NAME} may not write there: give it the directory")


def _chown(within: Path, name: str, account: Account, descriptor: int | None = None) -> None:
    status = os.stat(name, dir_fd=descriptor, follow_symlinks=False)
    if status.st_uid == account.uid:
        return
    if status.st_uid != 0:
        raise EngineError(f"{within} holds {name} of user {status.st_uid}: start as that user, not as root")
    if not (stat.S_ISDIR(status.st_mode) or (stat.S_ISREG(status.st_mode) and status.st_nlink == 1)):
        raise EngineError(f"{within} holds {name}, which is a link or not a regular file: remove it")
    os.chown(name, account.uid, account.gid, dir_fd=descriptor, follow_symlinks=False)


def _raise(error: OSError) -> None:
    raise error
