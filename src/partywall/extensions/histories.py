from __future__ import annotations

from collections.abc import Iterator, Sequence
from importlib.util import find_spec
from pathlib import Path

from partywall.core.db.feature_history import FeatureHistory
from partywall.core.db.revisions import not_in_line, read_revisions
from partywall.core.feature import Feature, FeatureError
from partywall.core.lazy import LoadError, load_errors
from partywall.extensions.enabled import is_installed


def histories(features: Sequence[Feature]) -> Iterator[FeatureHistory]:
    """Those of the installed features, in their order. Raises FeatureError for a folder that is missing or no line."""
    for feature in filter(is_installed, features):
        if feature.migrations is not None:
            folder = _folder(feature.name, feature.migrations)
            _require_line(feature.name, folder)
            yield FeatureHistory(feature.name, folder)


def _folder(feature: str, package: str) -> Path:
    try:
        with load_errors():
            found = find_spec(package)
    except LoadError:
        found = None
    for place in (found and found.submodule_search_locations) or ():
        return Path(place)
    raise FeatureError(f"the feature {feature} names its migrations {package}, which is no package: correct the name")


def _require_line(feature: str, folder: Path) -> None:
    """Of several heads, Alembic's `head` would be only one."""
    try:
        with load_errors():
            problem = next(not_in_line(read_revisions(folder)), None)
    except LoadError as error:
        raise FeatureError(f"the feature {feature} has a migration that cannot be read: {error}") from error
    if problem is not None:
        revision, why = problem
        raise FeatureError(f"the feature {feature} has migrations in no line ({revision.file}): {why}")
