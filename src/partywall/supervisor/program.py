"""The supervisor as a program: `partywall serve` replaces itself with it once the settings are checked.

The libraries that read settings would otherwise stay in memory, 14 MB, as long as it runs.
"""

from __future__ import annotations

import os
import sys
from collections.abc import Sequence
from tempfile import TemporaryFile
from typing import Final, NoReturn

from partywall.supervisor.console import complain
from partywall.supervisor.options import ServeOptions

# `partywall.cli` knows it too.
SUPERVISE: Final = "supervise"


def execute(options: ServeOptions) -> NoReturn:
    """Replaces this process with the supervisor."""
    with TemporaryFile() as file:
        file.write(options.as_json())
        file.seek(0)
        os.set_inheritable(file.fileno(), True)
        sys.stdout.flush()
        sys.stderr.flush()
        # The command's own arguments are for those who look for it in a list of processes.
        program = [sys.executable, "-m", "partywall", SUPERVISE, str(file.fileno()), *sys.argv[1:]]
        os.execv(sys.executable, program)  # noqa: S606 - a constant program  # nosec B606


def run(arguments: Sequence[str]) -> int:
    """Runs the options in the descriptor that the first argument names; returns the exit code."""
    # lint: allow import-in-function - `execute` is called by a process that needs none of it
    from partywall.supervisor.serve import serve  # noqa: PLC0415 - see above

    try:
        with os.fdopen(int(arguments[0]), "rb") as file:
            options = ServeOptions.from_json(file.read())
    except (IndexError, ValueError, TypeError, OSError):
        complain("`partywall serve` calls this: use that")
        return 2
    return serve(options)
