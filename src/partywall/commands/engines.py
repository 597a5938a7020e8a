"""The engines of an operator's command: servers of the environment, or those of a data directory."""

from __future__ import annotations

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass
from pathlib import Path

from pydantic import BaseModel, ConfigDict
from redis.asyncio import Redis

from partywall.commands.cache import cache_at
from partywall.commands.configuration import load_settings
from partywall.commands.postgres import database_failures, require_postgres
from partywall.commands.terminal import print_line
from partywall.commands.usage_error import UsageError
from partywall.core.db import engine as engines
from partywall.core.db.session import Sessions
from partywall.core.security.revocations import Revocation, Revoked, announce, drop_tickets
from partywall.core.security.secrets import SecretKeeper
from partywall.secret_key import secret_key
from partywall.settings import Settings
from partywall.settings.base import FromEnvironment
from partywall.supervisor.engines import Endpoints, EngineError, embedded_engines

STATEMENT_TIMEOUT_MS = 60_000


class _Database(BaseModel):
    model_config = ConfigDict(extra="ignore")

    engine: str | None = None
    url: str | None = None


class _Where(FromEnvironment):
    """The settings that distinguish servers from a data directory."""

    database: _Database = _Database()


@dataclass(frozen=True, slots=True)
class Operator:
    """Resources of an operator's command, which acts as the schema's owner and sees every account."""

    settings: Settings
    sessions: Sessions
    secrets: SecretKeeper
    cache: Redis

    async def announce(self, revoked: Revocation) -> None:
        """Publishes to the running processes; prints a line if the cache is unreachable."""
        published = await announce(self.cache, revoked)
        if revoked.kind is Revoked.SIGNING_KEYS:
            published = await drop_tickets(self.cache) and published
        if not published:
            print_line("the cache is unreachable: running processes notice within five seconds", err=True)


@asynccontextmanager
async def operator_settings(data_dir: Path) -> AsyncIterator[Settings]:
    """Yields settings with all URLs. Starts the engines of `data_dir` for the block if they do not run."""
    database = _Where().database
    if database.engine not in (None, "embedded") or database.url is not None:
        yield load_settings()
        return
    if not (data_dir / "secrets").is_dir() and not (data_dir / "engines.location").exists():
        raise UsageError(
            f"{data_dir} is not a Partywall data directory:"
            " start `partywall serve`, use --data-dir, or set DATABASE__ENGINE=server"
        )
    try:
        async with embedded_engines(data_dir) as endpoints:
            yield load_settings(_values(data_dir, endpoints))
    except EngineError as error:
        raise UsageError(str(error)) from None


def _values(data_dir: Path, endpoints: Endpoints) -> dict[str, str | Path | dict[str, str]]:
    return {
        "data_dir": data_dir,
        "database": {
            "engine": "embedded",
            "url": endpoints.runtime_url,
            "owner_url": endpoints.owner_url,
            "direct_url": endpoints.direct_url,
        },
        "cache": {"engine": "embedded", "url": endpoints.cache_url},
    }


@asynccontextmanager
async def operator(data_dir: Path) -> AsyncIterator[Operator]:
    async with operator_settings(data_dir) as settings:
        url = await require_postgres("DATABASE__OWNER_URL", settings.database.owner_url)
        options = engines.server_settings("partywall-operator", STATEMENT_TIMEOUT_MS)
        engine = engines.create_engine(url, pool_size=2, overflow=0, settings=options, pooled=True)
        cache = cache_at(settings.cache.url)
        try:
            with database_failures():
                yield Operator(settings, Sessions(engine), SecretKeeper(secret_key(settings)), cache)
        finally:
            await engine.dispose()
            await cache.aclose()
