"""Run as a script: ties its life to its parent's, gives up root, and becomes the program it was given.

A script and not a `preexec_fn`, which may deadlock in a process that has threads.
"""

from __future__ import annotations

import ctypes
import os
import sys

PR_SET_PDEATHSIG = 1
KEEP_ENVIRONMENT = "keep-environment"
MINIMAL_ENVIRONMENT = {"PATH": "/usr/bin:/bin", "LC_ALL": "C", "TZ": "UTC"}


def main(arguments: list[str]) -> None:  # pragma: no cover - it becomes another program
    parent, death_signal, uid, gid, environment, *command = arguments
    if uid:
        os.setgroups([])
        os.setgid(int(gid))
        os.setuid(int(uid))
    if sys.platform == "linux":
        # After setuid, which clears it. A parent that died before this line is noticed by the next.
        ctypes.CDLL(None).prctl(PR_SET_PDEATHSIG, int(death_signal))
        if os.getppid() != int(parent):
            sys.exit(1)
    # Reduced here and not by the parent: this Python itself may need LD_LIBRARY_PATH to run.
    # lint: allow environ - it is handed on, not read
    variables = dict(os.environ) if environment == KEEP_ENVIRONMENT else MINIMAL_ENVIRONMENT
    try:
        os.execvpe(command[0], command, variables)  # noqa: S606 - becoming that program is the purpose
    except OSError as error:
        sys.exit(f"error: {command[0]}: {error.strerror}")


if __name__ == "__main__":
    main(sys.argv[1:])
