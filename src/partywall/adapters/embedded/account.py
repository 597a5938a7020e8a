from __future__ import annotations

import fcntl
import os
import pwd
import shutil
import stat
import subprocess
from dataclasses import dataclass
from pathlib import Path

from partywall.adapters.embedded.errors import EngineError

ACCOUNT_NAME = "partywall"
SYSTEM_DIRECTORY = Path("/var/lib/partywall")


@dataclass(frozen=True, slots=True)
class Account:
    """The system user that runs the engines when the program runs as root."""

    uid: int
    gid: int

    def can_traverse(self, directory: Path) -> bool:
        return all(self._is_member(path) for path in (directory, *directory.parents))

    def may_write(self, directory: Path) -> bool:
        """Whether it may write in the directory; ignores the directories above."""
        return self._may(directory, stat.S_IXOTH | stat.S_IWOTH)

    def may_read(self, directory: Path) -> bool:
        return self._may(directory, stat.S_IXOTH | stat.S_IROTH)

    def _is_member(self, directory: Path) -> bool:
        return self._may(directory, stat.S_IXOTH)

    def _may(self, path: Path, rights: int) -> bool:
        status = path.stat()
        shift = 6 if status.st_uid == self.uid else 3 if status.st_gid == self.gid else 0
        wanted = rights << shift
        return status.st_mode & wanted == wanted


def service_account() -> Account | None:
    """None unless started as root: PostgreSQL refuses to run as root, and Valkey should not."""
    if os.geteuid() != 0:
        return None
    return _existing() or _created()


def _existing() -> Account | None:
    try:
        entry = pwd.getpwnam(ACCOUNT_NAME)
    except KeyError:
        return None
    return Account(entry.pw_uid, entry.pw_gid)


def _created() -> Account:
    """Under a lock: of two concurrent `useradd`, the second would change the uid of the first one's account."""
    SYSTEM_DIRECTORY.mkdir(parents=True, exist_ok=True)
    with open(SYSTEM_DIRECTORY / "account.lock", "w", opener=_private) as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        made = _existing()
        if made is None:
            _create_account()
            made = _existing()
    if made is None:
        raise EngineError(f"cannot create the system user {ACCOUNT_NAME}: useradd did not create it")
    return made


def _private(path: str, flags: int) -> int:
    return os.open(path, flags | os.O_CLOEXEC | os.O_NOFOLLOW, 0o600)


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
