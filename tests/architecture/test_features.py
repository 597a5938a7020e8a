"""Each slice declares in its `feature.py` what it contributes, and everything it contributes."""

from __future__ import annotations

import re
from collections.abc import Iterator
from importlib import import_module

import pytest
from fastapi import APIRouter

from partywall import features
from partywall.core.db.base import Base
from partywall.core.events.types import EventType
from partywall.core.feature import Feature
from partywall.core.jobs.kinds import JobKind
from partywall.core.lazy import Lazy
from partywall.core.rights import Right
from partywall.extensions.enabled import enabled_features
from partywall.extensions.table_checks import tables_of
from partywall.features.registry import FEATURES
from tests.architecture.layout import PACKAGE, ROOT, SLICES

FOUND = {
    path.parent.name: [f"partywall.features.{path.parent.name}.{each.stem}" for each in path.parent.glob("*.py")]
    for path in SLICES.glob("*/__init__.py")
}
every_feature = pytest.mark.parametrize("feature", FEATURES, ids=lambda feature: feature.name)


def test_every_slice_is_listed() -> None:
    assert {feature.name for feature in FEATURES} == FOUND.keys()
    for name in FOUND:
        assert import_module(f"partywall.features.{name}.feature").feature in FEATURES
        assert getattr(features, name) is import_module(f"partywall.features.{name}")


@every_feature
def test_a_feature_refers_only_to_its_own_code(feature: Feature) -> None:
    own = f"partywall.features.{feature.name}."
    assert [each.target for each in references(feature) if not each.target.startswith(own)] == []


@every_feature
def test_a_feature_declares_everything_that_its_slice_has(feature: Feature) -> None:
    modules = [vars(import_module(name)) for name in FOUND[feature.name] if not name.endswith(".feature")]
    own = f"partywall.features.{feature.name}."
    objects = [each for module in modules for each in module.values()]
    routers = [each.load() for each in (*feature.routers, *feature.socket_routers, *feature.root_routers)]
    assert {id(each) for each in objects if isinstance(each, APIRouter)} == {id(each) for each in routers}
    tables = [
        each.__table__
        for each in objects
        if isinstance(each, type) and issubclass(each, Base) and each.__module__.startswith(own)
    ]
    assert set(tables) == set(tables_of(feature))


def test_every_right_and_kind_of_job_of_the_source_is_declared() -> None:
    objects = [each for names in FOUND.values() for name in names for each in vars(import_module(name)).values()]
    assert {each for each in objects if isinstance(each, Right)} == {each for f in FEATURES for each in f.rights}
    kinds = {each.name for each in objects if isinstance(each, JobKind)}
    assert kinds == {job.kind.name for feature in FEATURES for job in feature.jobs}


def test_the_events_of_the_reference_are_those_that_are_declared() -> None:
    [table] = re.findall(r"(?ms)^## Types\n\n\| type .*?\n\n", (ROOT / "docs" / "reference" / "events.md").read_text())
    first_cells = (row.split("|")[1] for row in table.splitlines() if row.startswith("| `"))
    documented = [name for cell in first_cells for name in re.findall(r"`([a-z_.]+)`", cell)]
    assert sorted(documented) == sorted(EVENTS)


def test_every_event_that_the_source_writes_is_declared() -> None:
    groups = "|".join(sorted({name.partition(".")[0] for name in EVENTS}))
    others = {right.name for feature in FEATURES for right in feature.rights}
    written = {
        name
        for path in PACKAGE.rglob("*.py")
        if "EventDraft" in (text := path.read_text())
        for name in re.findall(rf'"((?:{groups})\.[a-z_]+)"', text)
    }
    assert len(written) > 15
    assert written - others <= EVENTS.keys()


EVENTS: dict[str, EventType] = {event.name: event for feature in enabled_features() for event in feature.events}


def references(feature: Feature) -> Iterator[Lazy[object]]:
    yield from (*feature.routers, *feature.socket_routers, *feature.root_routers)
    yield from (each for each in (*feature.background_code, feature.models) if isinstance(each, Lazy))
