"""The models that an operator installs, by the names of their engines."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Final

from partywall.adapters.embeddings import e5_files, minilm_files

INSTALLERS: Final[Mapping[str, Callable[[Path], Path]]] = {
    "minilm": minilm_files.install_minilm,
    "e5": e5_files.install_e5,
}
_CHECKS: Final[Mapping[str, Callable[[Path], object]]] = {
    "minilm": minilm_files.installed_files,
    "e5": e5_files.installed_file,
}


def require_installed(engine: str, models: Path) -> None:
    """Raises EmbeddingError if the engine's model has to be installed first, with the command that does it."""
    if (check := _CHECKS.get(engine)) is not None:
        check(models)
