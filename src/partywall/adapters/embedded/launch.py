"""A script that makes itself end with its parent, drops root and executes the given program.

It replaces a `preexec_fn`, which may deadlock in a process with threads.
"""

from __future__ import annotations

import ctypes
import json
import os
import resource
import stat
import sys
from pathlib import Path

PR_SET_PDEATHSIG = 1
REFUSED = 2
KEEP_ENVIRONMENT = "keep-environment"
MINIMAL_ENVIRONMENT = {"PATH": "/usr/bin:/bin", "LC_ALL": "C", "TZ": "UTC"}

_PR_CAPBSET_DROP, _PR_SET_NO_NEW_PRIVS = 24, 38
_MOST_CAPABILITIES = 64
_CLONE_NEWNS = 0x20000
_MS_NOSUID, _MS_NODEV, _MS_BIND, _MS_REC, _MS_SLAVE = 2, 4, 4096, 16384, 1 << 19


def closed_above(path: str, uid: int, gid: int) -> str | None:
    """The topmost directory above `path` that the account may not enter."""
    for directory in reversed(Path(path).parents):
        if not _may(directory.stat(), uid, gid, stat.S_IXOTH):
            return str(directory)
    return None


def _may(status: os.stat_result, uid: int, gid: int, right: int) -> bool:
    shift = 6 if status.st_uid == uid else 3 if status.st_gid == gid else 0
    return bool(status.st_mode & (right << shift))


def _call(name: str, *arguments: object) -> None:  # pragma: no cover - as root, in a separate process
    if getattr(ctypes.CDLL(None, use_errno=True), name)(*arguments) != 0:
        raise OSError(ctypes.get_errno(), f"{name}: {os.strerror(ctypes.get_errno())}")


def _mount(
    source: str, target: str, kind: bytes | None, flags: int, data: bytes | None = None
) -> None:  # pragma: no cover - as root, in a separate process
    arguments = (source.encode(), target.encode(), kind, ctypes.c_ulong(flags), data)
    _call("mount", *arguments)


def _reveal(paths: list[str], uid: int, gid: int) -> None:  # pragma: no cover - as root, in a separate process
    """Makes `paths` below closed directories visible to this process only, and nothing else in these directories.

    In a private mount namespace, an empty file system covers each closed directory, and `paths` are bind-mounted into
    it. The directory itself stays closed.
    """
    closed = {path: above for path in sorted(paths) if (above := closed_above(path, uid, gid)) is not None}
    if not closed:
        return
    _call("unshare", ctypes.c_int(_CLONE_NEWNS))
    _mount("none", "/", None, _MS_REC | _MS_SLAVE)
    held = {path: os.open(path, os.O_PATH) for path in closed}
    for above in sorted(set(closed.values())):
        _mount("tmpfs", above, b"tmpfs", _MS_NOSUID | _MS_NODEV, b"mode=0711,size=256k")
    for path, descriptor in held.items():
        if not _is_visible(path, descriptor):
            _make_mount_point(path, os.fstat(descriptor).st_mode)
            _mount(f"/proc/self/fd/{descriptor}", path, None, _MS_BIND | _MS_REC)
        os.close(descriptor)


def _is_visible(path: str, descriptor: int) -> bool:  # pragma: no cover - as root, in a separate process
    """Whether it is visible already, through a bind-mounted directory above it."""
    try:
        return os.path.samestat(Path(path).stat(), os.fstat(descriptor))
    except FileNotFoundError:
        return False


def _make_mount_point(path: str, mode: int) -> None:  # pragma: no cover - as root, in a separate process
    os.umask(0o022)
    if stat.S_ISDIR(mode):
        Path(path).mkdir(parents=True, exist_ok=True)
        return
    Path(path).parent.mkdir(parents=True, exist_ok=True)
    Path(path).touch()


def _drop_privileges(uid: int, gid: int) -> None:  # pragma: no cover - as root, in a separate process
    """Irrevocably: drops groups and capabilities, forbids new privileges, and disables core dumps."""
    resource.setrlimit(resource.RLIMIT_CORE, (0, 0))
    os.setgroups([])
    if sys.platform == "linux":
        prctl = ctypes.CDLL(None).prctl
        for capability in range(_MOST_CAPABILITIES):
            prctl(_PR_CAPBSET_DROP, capability, 0, 0, 0)
        prctl(_PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0)
    os.setresgid(gid, gid, gid)
    os.setresuid(uid, uid, uid)


def main(arguments: list[str]) -> None:  # pragma: no cover - it becomes another program
    parent, death_signal, uid, gid, environment, reach, *command = arguments
    if uid:
        _give_up_root(json.loads(reach), int(uid), int(gid))
    if sys.platform == "linux":
        # After setuid, which clears it. The next line detects a parent that died before.
        ctypes.CDLL(None).prctl(PR_SET_PDEATHSIG, int(death_signal))
        if os.getppid() != int(parent):
            sys.exit(1)
    # Reduced here, not by the parent: this Python may itself need LD_LIBRARY_PATH.
    # lint: allow environ - it is passed on, not read
    variables = dict(os.environ) if environment == KEEP_ENVIRONMENT else MINIMAL_ENVIRONMENT
    try:
        os.execvpe(command[0], command, variables)  # noqa: S606 - becoming that program is the purpose  # nosec B606
    except OSError as error:
        # lint: allow print - a script, whose standard error the operator sees
        sys.stderr.write(f"error: {command[0]}: {error.strerror}\n")
        sys.exit(REFUSED)


def _give_up_root(reach: list[str], uid: int, gid: int) -> None:  # pragma: no cover - as root, in a separate process
    here = Path.cwd()
    try:
        _reveal(reach, uid, gid)
    except OSError as error:
        # The program starts anyway, and may fail where it lacks access.
        # lint: allow print - a script, whose standard error the operator sees
        sys.stderr.write(
            f"partywall: warning: the system user cannot reach all that it needs ({error.strerror}): let it enter the"
            " directories above Python and the data, or start as a user other than root\n"
        )
    _drop_privileges(uid, gid)
    try:
        os.chdir(here)
    except OSError:
        os.chdir("/")


if __name__ == "__main__":
    main(sys.argv[1:])
