"""A separate database and application, for tests that remove a layer of the wall."""

from __future__ import annotations

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass
from pathlib import Path

from asgi_lifespan import LifespanManager
from fastapi import FastAPI
from pydantic import SecretStr
from sqlalchemy import make_url

from partywall.core.resources import Resources
from partywall.main import create_app
from partywall.settings import Settings
from partywall.testing.engines import DatabaseUrls, Urls, new_database
from partywall.testing.isolation.app import UNASKED
from partywall.testing.users import Users

ROW_SECURITY = """
    SELECT format('ALTER TABLE %s {} ROW LEVEL SECURITY', oid::regclass) AS statement FROM pg_class
    WHERE relkind = 'r' AND relnamespace = 'public'::regnamespace AND relforcerowsecurity
"""


@dataclass(frozen=True, slots=True)
class Copy:
    app: FastAPI
    resources: Resources
    settings: Settings
    database: DatabaseUrls
    users: Users

    @property
    def database_name(self) -> str:
        return str(make_url(self.database.runtime).database)

    async def row_security(self, what: str) -> int:
        """`DISABLE` removes row-level security from every table, `ENABLE` restores it; returns the number of tables."""
        statements = [row["statement"] for row in await self.users.fetch(ROW_SECURITY.format(what))]
        await self.users.execute(";".join(statements))
        return len(statements)


def settings_for(settings: Settings, database: DatabaseUrls, directory: Path, pool_size: int) -> Settings:
    own = {"url": SecretStr(database.runtime), "owner_url": SecretStr(database.owner), "pool_size": pool_size}
    changed = settings.database.model_copy(update=own | {"pool_overflow": 0})
    agents = settings.agents.model_copy(update=dict(UNASKED))
    return settings.model_copy(update={"database": changed, "data_dir": directory, "agents": agents})


@asynccontextmanager
async def open_copy(
    engines: Urls, settings: Settings, purpose: str, directory: Path, *, pool_size: int = 4
) -> AsyncIterator[Copy]:
    """A separate migrated database, the application on it, and a factory for users."""
    database = await new_database(engines, purpose)
    own = settings_for(settings, database, directory, pool_size)
    app = create_app(own)
    async with LifespanManager(app, startup_timeout=60, shutdown_timeout=60):
        resources: Resources = app.state.resources
        async with Users(app, resources, database) as users:
            yield Copy(app, resources, own, database, users)
