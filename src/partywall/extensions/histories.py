from __future__ import annotations

from collections.abc import Iterator, Sequence
from importlib.util import find_spec
from pathlib import Path

from partywall.core.db.feature_history import FeatureHistory
from partywall.core.feature import Feature, FeatureError
from partywall.core.lazy import LoadError, load_errors
from partywall.extensions.enabled import is_installed


def histories(features: Sequence[Feature]) -> Iterator[FeatureHistory]:
    """Those of the installed features, in their order. Raises FeatureError if a package lacks the folder."""
    for feature in filter(is_installed, features):
        if feature.migrations is not None:
            yield FeatureHistory(feature.name, _folder(feature.name, feature.migrations))


def _folder(feature: str, package: str) -> Path:
    try:
        with load_errors():
            found = find_spec(package)
    except LoadError:
        found = None
    for place in (found and found.submodule_search_locations) or ():
        return Path(place)
    raise FeatureError(f"the feature {feature} names its migrations {package}, which is no package: correct the name")
