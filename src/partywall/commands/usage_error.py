from __future__ import annotations

import typer


class UsageError(typer.TyperException):
    """Why a command cannot be carried out, in one line; exit code 2."""

    exit_code = 2
