"""The options and fixtures of `-p partywall.testing`."""

from __future__ import annotations

import os

import pytest

from partywall.settings import Settings
from partywall.settings.names import read_names
from partywall.testing.attack_fixtures import (
    attack_report,
    attacked_deployment,
    partywall_sample_bodies,
    partywall_sample_rows,
    unfiltered_report,
)
from partywall.testing.deployment import quicken_tracebacks
from partywall.testing.fixtures import (
    anonymous,
    app,
    database,
    engines,
    feature_environment,
    other_project,
    partywall_features,
    partywall_settings,
    project,
    resources,
    run_jobs,
    settings,
    users,
)

__all__ = [
    "anonymous",
    "app",
    "attack_report",
    "attacked_deployment",
    "database",
    "engines",
    "feature_environment",
    "other_project",
    "partywall_features",
    "partywall_sample_bodies",
    "partywall_sample_rows",
    "partywall_settings",
    "project",
    "resources",
    "run_jobs",
    "settings",
    "unfiltered_report",
    "users",
]


def pytest_addoption(parser: pytest.Parser) -> None:
    parser.addini("partywall_features", "features to enable, as in FEATURES__ENABLED", "args", [])
    parser.addini(
        "partywall_viewers_may", 'operations that change something and are open to viewers: "POST /api/v1/..."',
        "linelist", [],
    )  # fmt: skip


def pytest_configure() -> None:
    """Tests ignore the developer's own settings."""
    for name in list(read_names(os.environ, Settings)):
        del os.environ[name]
    quicken_tracebacks()
