"""Paths and hosts as they are given on the command line."""

from __future__ import annotations

from pathlib import Path

from partywall.commands.usage_error import UsageError
from partywall.settings.values import host_name


def given_path(text: str | Path) -> Path:
    """An empty variable of a script is not the working directory. Raises Refusal."""
    if isinstance(text, str) and not text.strip():
        raise UsageError("a path is empty: write . for the working directory")
    return Path(text)


def existing_path(text: str | Path) -> Path:
    """Raises Refusal."""
    path = given_path(text)
    if not path.exists():
        raise UsageError(f"path {str(path)!r} does not exist")
    return path


def listening_host(host: str) -> str:
    """Empty: every address. Raises Refusal."""
    try:
        return host and host_name(host)
    except ValueError as error:
        raise UsageError(f"--host: {error}") from None
