"""The rules of features. A process checks installed ones before it starts; tests check those of this repository."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import Final

from partywall.core.feature import Feature, FeatureError
from partywall.extensions.agents import agent_problems
from partywall.extensions.enabled import enabled_features, is_installed
from partywall.extensions.name_checks import name_problems
from partywall.extensions.problem import Problem
from partywall.extensions.table_checks import table_problems
from partywall.extensions.type_checks import code_problems

_API: Final = ("routers", "socket_routers", "root_routers", "tools")
_WORKER: Final = ("jobs", "schedules", "loops")


def checked_features(names: tuple[str, ...], *, api: bool = True, worker: bool = True) -> tuple[Feature, ...]:
    """The enabled features; raises FeatureError if one breaks a rule."""
    features = enabled_features(names)
    if problems := check_features(features, api=api, worker=worker):
        more = f" (and {len(problems) - 1} more)" if len(problems) > 1 else ""
        raise FeatureError(f"{problems[0]}{more}")
    return features


def check_features(features: Sequence[Feature], *, api: bool = True, worker: bool = True) -> list[Problem]:
    """The rules that these features break; imports only the code of the API or of workers if so asked."""
    found = [*name_problems(features), *_wrong_code(features, api=api, worker=worker)]
    if found:
        return found
    found.extend(table_problems(features))
    if api:
        # lint: allow import-in-function - workers do not import routers
        from partywall.extensions.path_checks import path_problems  # noqa: PLC0415 - see above

        # lint: allow import-in-function - as above
        from partywall.extensions.route_checks import route_problems  # noqa: PLC0415 - see above

        routes = list(route_problems(features))
        found.extend(routes or path_problems(features))
        found.extend(_tool_problems(features))
    if worker:
        found.extend(_schedule_problems(features))
    if api or worker:
        found.extend(agent_problems(features))
    return found


def _wrong_code(features: Sequence[Feature], *, api: bool, worker: bool) -> Iterator[Problem]:
    chosen = {"models", "settings", *(_API if api else ()), *(_WORKER if worker else ())}
    for feature in features:
        # Our agents are imported when they are first needed.
        agents = {"agents"} if (api or worker) and is_installed(feature) else set[str]()
        yield from (Problem(feature.name, text) for text in code_problems(feature, chosen | agents))


def _schedule_problems(features: Sequence[Feature]) -> Iterator[Problem]:
    # lint: allow import-in-function - only workers need it
    from croniter import croniter  # noqa: PLC0415 - see above

    for feature in features:
        for each in feature.schedules:
            if not croniter.is_valid(each.cron):
                yield Problem(feature.name, f'has the schedule {each.name} at no valid time: write it as "0 3 * * *"')


def _tool_problems(features: Sequence[Feature]) -> Iterator[Problem]:
    """Names of tools are unique if each begins with its feature's name, because names of features are."""
    for feature in features:
        for tool in feature.tools.load() if feature.tools is not None else ():
            if not tool.name.startswith(f"{feature.name}_"):
                yield Problem(feature.name, f"offers the tool {tool.name}: call it {feature.name}_{tool.name}")
