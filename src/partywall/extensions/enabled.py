from __future__ import annotations

from functools import cache
from importlib.metadata import EntryPoint, entry_points
from typing import Final

from partywall.core.feature import Feature, FeatureError
from partywall.core.lazy import LoadError, load_errors
from partywall.core.own_feature import CORE
from partywall.extensions.type_checks import declaration_problems
from partywall.features.registry import FEATURES

# An installed package offers a feature as an entry point of this group: `orders = "orders.feature:feature"`.
GROUP: Final = "partywall.features"


@cache
def enabled_features(names: tuple[str, ...] = ()) -> tuple[Feature, ...]:
    """The features of this process, those that others build on first. Raises FeatureError.

    Of installed packages, only the named features are imported, in the given order.
    """
    own = {feature.name: feature for feature in (*FEATURES, CORE)}
    installed = tuple(_load(name, taken=name in own) for name in names if not _is_switch(own.get(name)))
    return (
        *(feature for feature in FEATURES if not feature.optional or feature.name in names),
        *installed,
        CORE,
    )


def is_installed(feature: Feature) -> bool:
    """Whether it comes from an installed package."""
    return feature is not CORE and feature not in FEATURES


def offered_names() -> set[str]:
    """The features of installed packages, enabled or not."""
    return entry_points(group=GROUP).names


def package_of(feature: Feature) -> str | None:
    """The package that Python imports for an installed feature."""
    return next((entry.module.partition(".")[0] for entry in entry_points(group=GROUP, name=feature.name)), None)


def _is_switch(feature: Feature | None) -> bool:
    return feature is not None and feature.optional


def _load(name: str, *, taken: bool) -> Feature:
    if taken:
        raise FeatureError(f"FEATURES__ENABLED names {name}, which is part of every deployment: remove the name")
    entry = _entry(name)
    package = _package(entry)
    try:
        with load_errors():
            feature: object = entry.load()
    except LoadError as error:
        raise FeatureError(f"the feature {name} of {package} cannot be imported: {error}") from error
    if not isinstance(feature, Feature):
        raise FeatureError(f"the feature {name} of {package} is no partywall.api.Feature: correct its entry point")
    for wrong in declaration_problems(feature):
        raise FeatureError(f"the feature {name} of {package} {wrong}")
    if feature.name != name:
        raise FeatureError(f"the feature {name} of {package} calls itself {feature.name}: give both the same name")
    return feature


def _entry(name: str) -> EntryPoint:
    found = sorted(entry_points(group=GROUP, name=name), key=_package)
    if not found:
        offered = ", ".join(sorted(offered_names())) or "none"
        raise FeatureError(
            f"FEATURES__ENABLED names {name}, which no installed package offers (offered: {offered}): install it"
        )
    if len(found) > 1:
        packages = " and ".join(_package(entry) for entry in found)
        raise FeatureError(f"FEATURES__ENABLED names {name}, which {packages} offer: uninstall all but one")
    return found[0]


def _package(entry: EntryPoint) -> str:
    return "an unknown package" if entry.dist is None else entry.dist.name
