"""Every numeric or duration setting has a minimum and a maximum and accepts nothing beyond them."""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from datetime import timedelta
from decimal import Decimal
from pathlib import Path
from typing import Annotated, Final, NamedTuple, TypeAliasType, get_args, get_origin

import pytest
from annotated_types import Ge, Gt, Le, Lt
from pydantic import BaseModel, TypeAdapter

from partywall.commands.configuration import load_settings
from partywall.commands.usage_error import UsageError
from partywall.settings import QuotaSettings, Settings
from tests.architecture.layout import ROOT

NUMBERS: Final = (int, float, Decimal, timedelta)
SERVERS: Final = {
    "DATABASE__ENGINE": "server",
    "DATABASE__URL": "postgresql://app@db/partywall",
    "CACHE__ENGINE": "server",
    "CACHE__URL": "redis://cache",
}
# Zero retries, zero overflow, a quota of zero and no time in the trash are meaningful.
MAY_BE_ZERO: Final = {
    "DATABASE__POOL_OVERFLOW",
    "AGENTS__RETRY_FOR",
    "AGENTS__MODEL_RETRIES",
    "DOCUMENTS__TRASH_PERIOD",
} | {
    f"QUOTAS__{name}".upper() for name in QuotaSettings.model_fields if name not in ("members", "versions_per_document")
}


class Number(NamedTuple):
    variable: str
    kind: type
    notes: tuple[object, ...]


def numbers(model: type[BaseModel], before: str = "") -> Iterator[Number]:
    for name, field in model.model_fields.items():
        variable = f"{before}{field.alias or name}".upper()
        yield from below(field.annotation, variable, tuple(field.metadata))


def below(annotation: object, variable: str, notes: tuple[object, ...] = ()) -> Iterator[Number]:
    if isinstance(annotation, TypeAliasType):
        yield from below(annotation.__value__, variable, notes)
    elif get_origin(annotation) is Annotated:
        inner, *more = get_args(annotation)
        flat = [each for note in more for each in getattr(note, "metadata", [note])]
        yield from below(inner, variable, (*notes, *flat))
    elif isinstance(annotation, type) and issubclass(annotation, BaseModel):
        yield from numbers(annotation, f"{variable}__")
    elif annotation in NUMBERS:
        assert isinstance(annotation, type)
        yield Number(variable, annotation, notes)
    else:
        for each in get_args(annotation):
            yield from below(each, variable, notes)


ALL: Final = tuple(numbers(Settings))


@pytest.fixture(autouse=True)
def bare(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.chdir(tmp_path)
    for name, value in SERVERS.items():
        monkeypatch.setenv(name, value)


def test_the_walk_finds_what_can_be_set() -> None:
    found = {number.variable for number in ALL}
    assert {"EVENTS__HEARTBEAT", "DATABASE__POOL_SIZE", "QUOTAS__SPENDING", "OUTGOING__ALLOWED_PORTS"} <= found
    assert {"HTTP__CONNECTIONS_PER_ADDRESS", "MAIL__PORT", "EMBEDDINGS__DIMENSION"} <= found
    assert len(ALL) > 60


def test_each_setting_has_a_minimum_and_a_maximum() -> None:
    for number in ALL:
        assert any(isinstance(note, Ge | Gt) for note in number.notes), f"{number.variable} has no least value"
        assert any(isinstance(note, Le | Lt) for note in number.notes), f"{number.variable} has no most value"


@pytest.mark.parametrize("duration", ["NaN", "inf", "1e400", "", "P4000Y", "PT999999999999H", "-PT1S", "-00:00:01"])
def test_no_duration_beyond_the_bounds_is_accepted(duration: str, monkeypatch: pytest.MonkeyPatch) -> None:
    assert_refused({number.variable: duration for number in ALL if number.kind is timedelta}, monkeypatch)


@pytest.mark.parametrize("count", ["NaN", "inf", "-Infinity", "1e400", "9" * 17, "1" + "0" * 400, "-1", "0x10"])
def test_no_number_beyond_the_bounds_is_accepted(count: str, monkeypatch: pytest.MonkeyPatch) -> None:
    assert_refused({number.variable: count for number in ALL if number.kind is not timedelta}, monkeypatch)


def test_zero_is_accepted_only_where_it_is_meaningful(monkeypatch: pytest.MonkeyPatch) -> None:
    zeros = {number.variable: "PT0S" if number.kind is timedelta else "0" for number in ALL}
    assert_refused({name: zero for name, zero in zeros.items() if name not in MAY_BE_ZERO}, monkeypatch)


def test_a_moment_too_short_to_count_is_zero(monkeypatch: pytest.MonkeyPatch) -> None:
    moments = {number.variable: "PT0.0000001S" for number in ALL if number.kind is timedelta}
    assert_refused({name: moment for name, moment in moments.items() if name not in MAY_BE_ZERO}, monkeypatch)


def assert_refused(values: Mapping[str, str], monkeypatch: pytest.MonkeyPatch) -> None:
    """Each with its own line that names it."""
    for name, value in values.items():
        monkeypatch.setenv(name, value)
    with pytest.raises(UsageError) as refusal:
        load_settings()
    refused = {line.partition(":")[0] for line in refusal.value.message.splitlines()}
    assert values.keys() - refused == set()


def bounds(number: Number) -> str:
    """As the reference writes them: `1 to 200`, `PT1S to P1D`."""
    least = [note.ge if isinstance(note, Ge) else note.gt for note in number.notes if isinstance(note, Ge | Gt)]
    most = [note.le if isinstance(note, Le) else note.lt for note in number.notes if isinstance(note, Le | Lt)]
    return f"{written(least[0])} to {written(most[0])}"


def written(bound: object) -> str:
    return TypeAdapter(timedelta).dump_python(bound, mode="json") if isinstance(bound, timedelta) else str(bound)


def test_the_reference_documents_the_bounds() -> None:
    page = (ROOT / "docs" / "reference" / "settings.md").read_text()
    documented = re.findall(r"(?m)^\| `([A-Z_]+)` \| (\S+ to \S+) \|$", page)
    assert documented == [(number.variable, bounds(number)) for number in ALL]
