"""The program of a process that does one costly work on one text, within limits that the system keeps.

It imports what the work needs and nothing else, reads the text from its input, and writes the answer to its output.
"""

from __future__ import annotations

import os
import resource
import signal
import sys
from importlib import import_module
from typing import Final

OUT_OF_MEMORY: Final = 71
# Costly texts yield to whoever is served meanwhile; with the processors free they are as fast as ever.
NICER: Final = 5


def _limit(cpu_seconds: int, memory: int) -> None:
    """The kernel ends it by SIGXCPU after so many seconds, and refuses memory beyond that many bytes."""
    os.nice(NICER)
    resource.setrlimit(resource.RLIMIT_CPU, (cpu_seconds, cpu_seconds + 1))
    resource.setrlimit(resource.RLIMIT_AS, (memory, memory))
    resource.setrlimit(resource.RLIMIT_CORE, (0, 0))


def main(module: str, function: str, cpu_seconds: str, memory: str) -> None:
    signal.signal(signal.SIGINT, signal.SIG_IGN)  # Ctrl-C is for the process that waits for the answer
    work = getattr(import_module(module), function)
    _limit(int(cpu_seconds), int(memory))
    try:
        sys.stdout.buffer.write(work(sys.stdin.buffer.read()))
        sys.stdout.buffer.flush()
    except MemoryError:
        os._exit(OUT_OF_MEMORY)


if __name__ == "__main__":
    main(*sys.argv[1:])
