"""The settings of a deployment for tests."""

from __future__ import annotations

import os
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from pathlib import Path

import orjson
import pytest
import structlog
from pydantic import JsonValue

from partywall.settings import Settings
from partywall.testing.engines import DatabaseUrls


def settings_for_tests(
    database: DatabaseUrls, cache: str, data: Path, more: Mapping[str, JsonValue] | None = None
) -> Settings:
    """`more` replaces groups of settings, such as `{"search": {"timeout": "PT5S"}}`."""
    return Settings.model_validate(
        {
            "data_dir": data,
            "secret_key": "a secret of the tests, long enough: 0123456789",
            "database": {"engine": "embedded", "url": database.runtime, "owner_url": database.owner, "pool_size": 5},
            "cache": {"engine": "embedded", "url": cache},
            "accounts": {"attempts_per_minute": 100_000},
            "http": {"docs": True},
            "search": {"timeout": "PT1M"},
            "jobs": {"poll_interval": "PT0.2S"},
            # The tests' receivers listen on loopback; other tests cover what is refused.
            "outgoing": {"allow_http": True, "allowed_networks": "127.0.0.0/8"},
            **(more or {}),
        }
    )


def with_features(settings: Mapping[str, JsonValue], features: Sequence[str]) -> dict[str, JsonValue]:
    """The settings with these features enabled, without the groups of the features themselves."""
    own = {name: group for name, group in settings.items() if name not in features}
    return {"features": {"enabled": list(features)}, **own}


@contextmanager
def environment_of_features(settings: Mapping[str, JsonValue], features: Sequence[str]) -> Iterator[None]:
    """Meanwhile, the environment holds the features' groups of settings, and no others of theirs."""
    prefixes = tuple(f"{name.upper()}__" for name in features)
    with pytest.MonkeyPatch.context() as patch:
        for name in [name for name in os.environ if name.upper().startswith(prefixes)]:
            patch.delenv(name)
        for name in settings.keys() & set(features):
            patch.setenv(name.upper(), orjson.dumps(settings[name]).decode())
        yield


def quicken_tracebacks() -> None:
    """By default structlog prints every frame's variables in a traceback, which takes a second per exception here."""
    structlog.configure(
        processors=[
            structlog.contextvars.merge_contextvars,
            structlog.processors.add_log_level,
            structlog.processors.format_exc_info,
            structlog.dev.ConsoleRenderer(colors=False),
        ]
    )
