"""The parts of the package that several lints treat separately."""

from __future__ import annotations

COMMAND_LINE = ("__main__.py", "cli.py", "commands")
PROCESSES = ("asgi.py", "main.py", "server.py", "worker.py", "supervisor")
ENTRY_POINTS = (*COMMAND_LINE, *PROCESSES)
