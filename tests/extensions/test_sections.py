"""Settings of an installed package: typed, in a section with the feature's name, and refused in one line."""

from __future__ import annotations

from pathlib import Path

import pytest

from partywall.commands.configuration import load_settings
from partywall.commands.features import require_features
from partywall.commands.usage_error import UsageError
from partywall.core.feature import Feature, FeatureError
from partywall.core.lazy import lazy
from partywall.extensions.sections import feature_sections
from partywall.settings import Settings
from partywall.settings.base import Section
from tests.extensions.packages import FEATURE, Install

SETTINGS = """
from datetime import timedelta
from partywall.api.settings import Section

class OrdersSettings(Section):
    reminders: int = 3
    pause: timedelta = timedelta(hours=1)
"""
WITH_SETTINGS = FEATURE.replace("    models=", '    settings=lazy("orders.settings:OrdersSettings"),\n    models=')
ENGINES = {"database": {"engine": "embedded"}, "cache": {"engine": "embedded"}}


@pytest.fixture
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("FEATURES__ENABLED", "orders")
    return tmp_path


def started() -> Settings:
    settings = load_settings(ENGINES)
    require_features(settings)
    return settings


def test_they_are_read_from_the_environment_and_from_dotenv(
    install: Install, folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    install(feature=WITH_SETTINGS, settings=SETTINGS)
    (folder / ".env").write_text("ORDERS__PAUSE=PT5M\n")
    monkeypatch.setenv("ORDERS__REMINDERS", "7")
    started()
    feature = Feature(name="orders", settings=lazy("orders.settings:OrdersSettings"))
    [(kind, section)] = feature_sections([feature]).items()
    assert (kind.__name__, issubclass(kind, Section)) == ("OrdersSettings", True)
    assert section.model_dump(mode="json") == {"reminders": 7, "pause": "PT5M"}


@pytest.mark.parametrize(
    ("name", "value", "said"),
    [
        ("ORDERS__REMINDERS", "many", "^ORDERS__REMINDERS: input should be a valid integer"),
        ("ORDERS__PAUSE", "an hour", "^ORDERS__PAUSE: write a time as PT75S"),
        ("ORDERS__REMINDER", "3", "^ORDERS__REMINDER is not a setting: the nearest is ORDERS__REMINDERS$"),
    ],
)
def test_a_wrong_one_is_refused(
    install: Install, folder: Path, monkeypatch: pytest.MonkeyPatch, name: str, value: str, said: str
) -> None:
    install(feature=WITH_SETTINGS, settings=SETTINGS)
    monkeypatch.setenv(name, value)
    with pytest.raises(UsageError, match=said) as refused:
        started()
    assert "\n" not in refused.value.message


def test_a_missing_one_is_named(install: Install, folder: Path) -> None:
    install(feature=WITH_SETTINGS, settings=SETTINGS.replace("int = 3", "int"))
    with pytest.raises(UsageError, match=r"^ORDERS__REMINDERS is not set$"):
        started()


def test_a_section_that_resembles_one_of_ours_is_left_to_its_feature(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("SEARCHES__CONCURRENCY", "3")
    with pytest.raises(UsageError, match="SEARCHES__CONCURRENCY is not a setting"):
        load_settings(ENGINES)
    monkeypatch.setenv("FEATURES__ENABLED", "orders, searches")
    assert load_settings(ENGINES).features.enabled == ("orders", "searches")


def test_a_section_of_ours_cannot_be_taken(install: Install, folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    install("mail", feature='from partywall.api import Feature, lazy\nfeature = Feature(name="mail", '
            'settings=lazy("orders.settings:OrdersSettings"))', settings=SETTINGS)  # fmt: skip
    monkeypatch.setenv("FEATURES__ENABLED", "mail")
    with pytest.raises(FeatureError, match="has settings in the section MAIL, which is ours: choose another name"):
        started()
