"""The child process that does one costly piece of work on one text, within limits enforced by the system.

It imports only what the work needs, reads the text from standard input, and writes the answer to standard output.
"""

from __future__ import annotations

import os
import resource
import signal
import sys
from importlib import import_module
from typing import Final

OUT_OF_MEMORY: Final = 71
# Costly texts yield to other work; on idle processors they are not slower.
NICER: Final = 5


def _limit(cpu_seconds: int, memory: int) -> None:
    """Limits CPU time in seconds (the kernel then sends SIGXCPU) and memory in bytes. No file can be written."""
    os.nice(NICER)
    resource.setrlimit(resource.RLIMIT_CPU, (cpu_seconds, cpu_seconds + 1))
    resource.setrlimit(resource.RLIMIT_AS, (memory, memory))
    resource.setrlimit(resource.RLIMIT_CORE, (0, 0))
    resource.setrlimit(resource.RLIMIT_FSIZE, (0, 0))


def main(module: str, function: str, cpu_seconds: str, memory: str) -> None:
    signal.signal(signal.SIGINT, signal.SIG_IGN)  # the parent process handles Ctrl-C
    work = getattr(import_module(module), function)
    _limit(int(cpu_seconds), int(memory))
    try:
        sys.stdout.buffer.write(work(sys.stdin.buffer.read()))
        sys.stdout.buffer.flush()
    except MemoryError:
        os._exit(OUT_OF_MEMORY)


if __name__ == "__main__":
    main(*sys.argv[1:])
