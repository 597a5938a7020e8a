"""The rules of features. A process checks installed ones before it starts; tests check those of this repository."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

from partywall.core.feature import Feature, FeatureError
from partywall.core.lazy import Lazy
from partywall.extensions.agents import agent_problems
from partywall.extensions.enabled import enabled_features, is_installed
from partywall.extensions.name_checks import name_problems
from partywall.extensions.problem import Problem
from partywall.extensions.table_checks import table_problems


def checked_features(names: tuple[str, ...], *, api: bool = True, worker: bool = True) -> tuple[Feature, ...]:
    """The enabled features; raises FeatureError if one breaks a rule."""
    features = enabled_features(names)
    if problems := check_features(features, api=api, worker=worker):
        more = f" (and {len(problems) - 1} more)" if len(problems) > 1 else ""
        raise FeatureError(f"{problems[0]}{more}")
    return features


def check_features(features: Sequence[Feature], *, api: bool = True, worker: bool = True) -> list[Problem]:
    """The rules that these features break; imports only the code of the API or of workers if so asked."""
    found = [*name_problems(features), *_missing(features, api=api, worker=worker)]
    if found:
        return found
    found.extend(table_problems(features))
    if api:
        # lint: allow import-in-function - workers do not import routers
        from partywall.extensions.route_checks import route_problems  # noqa: PLC0415 - see above

        found.extend(route_problems(features))
        found.extend(_tool_problems(features))
    if api or worker:
        found.extend(agent_problems(features))
    return found


def _missing(features: Sequence[Feature], *, api: bool, worker: bool) -> Iterator[Problem]:
    for feature in features:
        for each in _code(feature, api=api, worker=worker):
            try:
                each.load()
            except (Exception, SystemExit) as error:  # noqa: BLE001 - an installed package may fail in any way
                said = " ".join(str(error).split()) or type(error).__name__
                yield Problem(feature.name, f"names {each.target}, which cannot be imported: {said}")


def _tool_problems(features: Sequence[Feature]) -> Iterator[Problem]:
    """Names of tools are unique if each begins with its feature's name, because names of features are."""
    for feature in features:
        for tool in feature.tools.load() if feature.tools is not None else ():
            if not tool.name.startswith(f"{feature.name}_"):
                yield Problem(feature.name, f"offers the tool {tool.name}: call it {feature.name}_{tool.name}")


def _code(feature: Feature, *, api: bool, worker: bool) -> Iterator[Lazy[object]]:
    yield from filter(None, (feature.models, feature.settings, feature.tools if api else None))
    if api:
        yield from (*feature.routers, *feature.socket_routers, *feature.root_routers)
    if worker:
        yield from (code for code in feature.background_code if isinstance(code, Lazy))
    if (api or worker) and feature.agents is not None and is_installed(feature):
        yield feature.agents  # ours are imported when they are first needed
