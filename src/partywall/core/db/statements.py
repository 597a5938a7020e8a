from __future__ import annotations

from pathlib import Path
from typing import Final

_PACKAGE: Final = Path(__file__).parents[2]


def statement(file: str) -> str:
    """A large statement, read when its module is imported. Its file is named from the package's directory."""
    return (_PACKAGE / file).read_text(encoding="utf-8")
