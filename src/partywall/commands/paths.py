"""Checks paths and hosts given on the command line."""

from __future__ import annotations

from pathlib import Path

from partywall.commands.usage_error import UsageError
from partywall.settings.values import host_name


def given_path(text: str | Path) -> Path:
    """Rejects an empty path: a script's empty variable must not mean the working directory. Raises UsageError."""
    if isinstance(text, str) and not text.strip():
        raise UsageError("the path is empty: use . for the working directory")
    return Path(text)


def existing_path(text: str | Path) -> Path:
    """Raises UsageError."""
    path = given_path(text)
    if not path.exists():
        raise UsageError(f"path {str(path)!r} does not exist")
    return path


def listening_host(host: str) -> str:
    """An empty host means every address. Raises UsageError."""
    try:
        return host and host_name(host)
    except ValueError as error:
        raise UsageError(f"--host: {error}") from None
