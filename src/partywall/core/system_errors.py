"""Explains an operating system error in one line that says what to do."""

from __future__ import annotations

import os
import pwd
from pathlib import Path


def explained(error: OSError) -> str:
    said = (error.strerror or str(error)).lower()
    if error.filename is None:
        return said
    path = Path(os.fsdecode(error.filename))
    return f"{path}: {said}{_of_another(path) if isinstance(error, PermissionError) else ''}"


def owner_name(uid: int) -> str:
    try:
        return pwd.getpwuid(uid).pw_name
    except KeyError:
        return f"user {uid}"


def _of_another(path: Path) -> str:
    """Names the owner of the path, or of the nearest directory above that can be read."""
    for each in (path, *path.parents):
        try:
            owner = each.stat().st_uid
        except OSError:
            continue
        if owner == os.geteuid():
            return ""
        name = owner_name(owner)
        return f" ({each} belongs to {name}: run this as {name}, or have it given to you with chown)"
    return ""
