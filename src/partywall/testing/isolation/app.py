"""The application under attack: only the wall refuses requests, and no request waits without need."""

from __future__ import annotations

from collections.abc import AsyncIterator, Callable, Mapping, Sequence
from contextlib import asynccontextmanager
from dataclasses import replace
from datetime import timedelta
from pathlib import Path
from typing import Final

from asgi_lifespan import LifespanManager
from fastapi import FastAPI
from pwdlib import PasswordHash
from pwdlib.hashers.argon2 import Argon2Hasher
from pydantic import JsonValue

from partywall.core.resources import Resources
from partywall.core.security.attempts import AttemptLimiter
from partywall.main import create_app
from partywall.settings import Settings
from partywall.testing.engines import DatabaseUrls
from partywall.testing.isolation import identities

type JsonObject = Mapping[str, JsonValue]

# Settings of a model that is never called: no worker runs here.
UNASKED: Final[Mapping[str, str]] = {"model": "openai:unasked", "base_url": "http://127.0.0.1:9/v1"}
_HTTP: Final[JsonObject] = {"docs": True, "public_url": "http://partywall.test"}


def settings_for_attack(
    database: DatabaseUrls, cache: str, data: Path, *, agents: Sequence[str] = (), more: JsonObject | None = None
) -> Settings:
    """Limits high enough that none of them refuses an attempt; credentials that outlive the attack.

    `agents` are modules with agents; `more` has further settings, by their names in the environment's groups.
    """
    http = (more or {}).get("http")
    return Settings.model_validate(
        {
            "data_dir": data,
            "secret_key": "only for the attack, and long enough: 0123456789",
            "database": {"engine": "embedded", "url": database.runtime, "pool_size": 5},
            "cache": {"engine": "embedded", "url": cache},
            # Nothing is called here: a webhook's address is only checked when the webhook is created.
            "outgoing": {"allow_http": True, "allowed_networks": "127.0.0.0/8"},
            "accounts": {
                "attempts_per_minute": 1_000_000,
                "max_failed_logins": 1_000,
                "access_token_ttl": timedelta(hours=6),
            },
            "events": {
                "ticket_ttl": timedelta(hours=1),
                "connections": 1_000_000,
                "connections_per_principal": 1_000_000,
            },
            "agents": {"modules": list(agents), "open_runs_per_project": 1_000_000, **UNASKED},
            "quotas": {"versions_per_document": 1_000_000},
            "log": {"level": "error"},
            "http": _HTTP,
            "identities": identities.SETTINGS,
            **(more or {}),
            **({"http": {**_HTTP, **http}} if isinstance(http, dict) else {}),
        }
    )


class Unlimited(AttemptLimiter):
    """Counts nothing: rate limits of addresses and accounts are no part of the wall."""

    async def admit(self, counted: str, *, per_hour: int | None = None, times: int = 1) -> int | None:
        return None


@asynccontextmanager
async def open_app(settings: Settings, create: Callable[[Settings], FastAPI] = create_app) -> AsyncIterator[FastAPI]:
    app = create(settings)
    async with LifespanManager(app, startup_timeout=60, shutdown_timeout=60):
        resources: Resources = app.state.resources
        # Password hashing is not under attack, and it runs thousands of times.
        cheap = PasswordHash((Argon2Hasher(time_cost=1, memory_cost=8, parallelism=1),))
        resources.passwords._hashes = cheap
        resources.passwords._nobodys = cheap.hash("nobody's")
        app.state.resources = replace(resources, attempts=Unlimited(resources.cache, per_minute=1))
        yield app
