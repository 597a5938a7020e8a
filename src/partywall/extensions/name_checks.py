from __future__ import annotations

import re
from collections import Counter
from collections.abc import Iterator, Sequence
from itertools import chain
from typing import Final, NamedTuple

from partywall.core.feature import Feature
from partywall.extensions.enabled import is_installed
from partywall.extensions.problem import Problem
from partywall.extensions.taken_names import why_taken
from partywall.settings import Settings

_FEATURE: Final = re.compile(r"(?!.*__)[a-z][a-z_]{0,39}(?<!_)")
# Filters of streams and webhooks select by the part before the dot.
_PART: Final = re.compile(r"[a-z][a-z_]{0,79}")


class Name(NamedTuple):
    kind: str
    text: str


def is_valid_name(name: str) -> bool:
    return _FEATURE.fullmatch(name) is not None


def name_problems(features: Sequence[Feature]) -> Iterator[Problem]:
    """Names that are not valid, that two features declare, or that do not begin with their feature's name."""
    counted = Counter(chain.from_iterable(map(_names, features)))
    installed = [feature.name for feature in features if is_installed(feature)]
    for feature in features:
        if not is_valid_name(feature.name):
            yield Problem(feature.name, "has no valid name: use at most 40 lower case letters and _")
            continue
        for name in dict.fromkeys(_names(feature)):
            if counted[name] > 1 and name.kind == "name":
                yield Problem(feature.name, "has a name that is taken: choose another")
            elif counted[name] > 1:
                yield Problem(feature.name, f"declares the {name.kind} {name.text}, which is declared twice: rename it")
        if is_installed(feature):
            yield from (Problem(feature.name, text) for text in why_taken(feature.name, installed))
            yield from _without_prefix(feature)
            if feature.settings is not None and feature.name in Settings.model_fields:
                taken = f"has settings in the section {feature.name.upper()}, which is ours: choose another name"
                yield Problem(feature.name, taken)


def _without_prefix(feature: Feature) -> Iterator[Problem]:
    for kind, text in (*_rights_and_events(feature), *_work(feature)):
        prefix, _, rest = text.partition(".")
        if prefix != feature.name or not _PART.fullmatch(rest):
            wanted = f"{feature.name}.NAME, with a NAME of lower case letters and _"
            yield Problem(feature.name, f"declares the {kind} {text}: call it {wanted}")


def _names(feature: Feature) -> Iterator[Name]:
    yield Name("name", feature.name)
    yield from (Name("tag", tag.name) for tag in feature.tags)
    yield from _rights_and_events(feature)
    yield from _work(feature)


def _rights_and_events(feature: Feature) -> Iterator[Name]:
    yield from (Name("right", right.name) for right in feature.rights)
    yield from (Name("event", event.name) for event in feature.events)


def _work(feature: Feature) -> Iterator[Name]:
    yield from (Name("job", job.kind.name) for job in feature.jobs)
    yield from (Name("schedule", schedule.name) for schedule in feature.schedules)
    yield from (Name("loop", name) for name in feature.loops)
