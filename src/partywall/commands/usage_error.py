from __future__ import annotations

import typer


class UsageError(typer.TyperException):
    """Says in one line why a command cannot do what it was asked; exit code 2."""

    exit_code = 2
