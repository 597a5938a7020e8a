from __future__ import annotations

import os
import secrets
from pathlib import Path

from partywall.core.git_ignore import keep_out_of_git


def kept_secret_key(data_dir: Path) -> str:
    """The secret key in the data directory, which is created with it if it does not exist."""
    path = data_dir / "secret.key"
    path.parent.mkdir(parents=True, exist_ok=True)
    if not path.exists():
        keep_out_of_git(path.parent)
        _create(path)
    return path.read_text(encoding="ascii").strip()


def _create(path: Path) -> None:
    """Creates the file atomically; the first of two processes wins."""
    draft = path.with_suffix(f".{os.getpid()}")
    with open(draft, "x", encoding="ascii", opener=lambda name, flags: os.open(name, flags, 0o600)) as file:
        file.write(secrets.token_urlsafe(48))
    try:
        os.link(draft, path)
    except FileExistsError:
        pass
    finally:
        draft.unlink()
