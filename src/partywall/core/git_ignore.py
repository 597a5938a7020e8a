from __future__ import annotations

import os
from contextlib import suppress
from pathlib import Path


def keep_out_of_git(directory: Path) -> None:
    """Gives a directory with secrets a `.gitignore` of its own, unless it has one or cannot be written to."""
    draft = directory / f".gitignore.{os.getpid()}"
    with suppress(OSError):
        try:
            draft.write_text("# Secrets and customers' documents. Written by Partywall.\n*\n", encoding="ascii")
            os.link(draft, directory / ".gitignore")
        finally:
            draft.unlink(missing_ok=True)
