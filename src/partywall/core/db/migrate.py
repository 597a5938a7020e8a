from __future__ import annotations

import asyncio
from pathlib import Path
from typing import Final

from alembic import command
from alembic.config import Config
from alembic.script import ScriptDirectory
from sqlalchemy import Connection, make_url, text
from sqlalchemy.ext.asyncio import create_async_engine
from sqlalchemy.pool import NullPool

from partywall.core.db.engine import DRIVER, connector

_PACKAGED: Final = Path(__file__).parents[2] / "_migrations"
_CHECKOUT: Final = Path(__file__).parents[4] / "migrations"
# Two deploys that migrate at once take turns.
_LOCK: Final = text("SELECT pg_advisory_lock(hashtext('partywall.migrations'))")


def migrations_directory() -> Path:
    return _PACKAGED if _PACKAGED.is_dir() else _CHECKOUT


def _config(runtime_url: str) -> Config:
    directory = migrations_directory()
    config = Config()
    config.set_main_option("script_location", str(directory))
    config.attributes["runtime_role"] = make_url(runtime_url).username
    return config


def head_revision() -> str:
    """The newest revision that this program knows."""
    head = ScriptDirectory.from_config(_config("postgresql://nobody@localhost/")).get_current_head()
    assert head is not None
    return head


def _run(connection: Connection, config: Config, target: str) -> None:
    config.attributes["connection"] = connection
    if target == "base" or target.startswith("-"):
        command.downgrade(config, target)
    else:
        command.upgrade(config, target)


async def migrate(owner_url: str, runtime_url: str, target: str = "head") -> None:
    """As the owner, brings the schema up to `head` or a revision, or back by `-1` or to `base`."""
    engine = create_async_engine(f"{DRIVER}://", async_creator=connector(owner_url), poolclass=NullPool)
    try:
        async with engine.connect() as connection:
            await connection.execute(_LOCK)
            await connection.commit()
            await connection.run_sync(_run, _config(runtime_url), target)
            await connection.commit()
    finally:
        await engine.dispose()


def migrate_blocking(owner_url: str, runtime_url: str, target: str = "head") -> None:
    asyncio.run(migrate(owner_url, runtime_url, target))
