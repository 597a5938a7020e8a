"""Imports the migrations of installed features before anything starts, as Alembic does before it applies one."""

from __future__ import annotations

from collections.abc import Iterable
from pathlib import Path

from alembic.util import load_python_file

from partywall.core.db.feature_history import FeatureHistory
from partywall.core.db.revisions import read_revisions
from partywall.core.feature import FeatureError
from partywall.core.lazy import LoadError, load_errors


def require_importable(histories: Iterable[FeatureHistory]) -> None:
    """Raises FeatureError for a file that cannot be imported or is no migration."""
    for history in histories:
        named = {each.file: each.name for each in read_revisions(history.folder)}
        for file in sorted(history.folder.glob("*.py")):
            if file.name != "__init__.py":
                _require_migration(history, file, named.get(file.name))


def _require_migration(history: FeatureHistory, file: Path, revision: str | None) -> None:
    try:
        with load_errors():
            module = load_python_file(file.parent, file.name)
    except LoadError as error:
        said = f"has the migration {file.name}, which cannot be imported: {error}"
        raise FeatureError(f"the feature {history.feature} {said}") from error
    if (
        revision is None
        or getattr(module, "revision", None) != revision
        or not callable(module.__dict__.get("upgrade"))
    ):
        said = f'has {file.name}, which is no migration: give it revision = "..." and upgrade, or move it'
        raise FeatureError(f"the feature {history.feature} {said}")
