from __future__ import annotations

import os
import pwd
import shutil
import stat
import subprocess
from dataclasses import dataclass
from pathlib import Path

from partywall.adapters.embedded.errors import EngineError

ACCOUNT_NAME = "partywall"


@dataclass(frozen=True, slots=True)
class Account:
    """The system user the engines run as when the program itself runs as root."""

    uid: int
    gid: int

    def can_traverse(self, directory: Path) -> bool:
        return all(self._may_enter(path) for path in (directory, *directory.parents))

    def _may_enter(self, directory: Path) -> bool:
        status = directory.stat()
        if status.st_uid == self.uid:
            return bool(status.st_mode & stat.S_IXUSR)
        if status.st_gid == self.gid:
            return bool(status.st_mode & stat.S_IXGRP)
        return bool(status.st_mode & stat.S_IXOTH)


def service_account() -> Account | None:
    """None unless started as root: PostgreSQL refuses to run as root, and Valkey should not."""
    if os.geteuid() != 0:
        return None
    try:
        entry = pwd.getpwnam(ACCOUNT_NAME)
    except KeyError:
        _create_account()
        entry = pwd.getpwnam(ACCOUNT_NAME)
    return Account(entry.pw_uid, entry.pw_gid)


def _create_account() -> None:
    useradd = shutil.which("useradd", path="/usr/sbin:/sbin:/usr/bin:/bin")
    if useradd is None:
        raise EngineError(f"started as root: create a system user {ACCOUNT_NAME} first (no useradd here)")
    options = ["--system", "--user-group", "--no-create-home", "--home-dir", "/nonexistent"]
    command = [useradd, *options, "--shell", "/usr/sbin/nologin", ACCOUNT_NAME]
    outcome = subprocess.run(command, capture_output=True, text=True, check=False)
    already_exists = 9
    if outcome.returncode not in (0, already_exists):
        raise EngineError(f"cannot create the system user {ACCOUNT_NAME}: {outcome.stderr.strip()}")
