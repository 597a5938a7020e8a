from __future__ import annotations

import asyncio
from dataclasses import dataclass
from pathlib import Path
from typing import Final

from alembic import command
from alembic.config import Config
from alembic.runtime.migration import MigrationContext
from alembic.script import ScriptDirectory
from alembic.util import CommandError
from sqlalchemy import Connection, make_url, text
from sqlalchemy.ext.asyncio import AsyncEngine, create_async_engine
from sqlalchemy.pool import NullPool

from partywall.core.db.engine import DRIVER, connect_args

_PACKAGED: Final = Path(__file__).parents[2] / "_migrations"
_CHECKOUT: Final = Path(__file__).parents[4] / "migrations"
# Two deploys that migrate at once take turns.
_LOCK: Final = text(
    "SELECT set_config('lock_timeout', '0', true), pg_advisory_xact_lock(hashtext('partywall.migrations'))"
)
# A migration waits for its locks no longer than a request would, rather than queue all traffic behind it.
_LOCK_TIMEOUT_MS: Final = 5000


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


@dataclass(frozen=True, slots=True)
class Migrated:
    """The revisions before and after; None is a database without a schema of ours."""

    before: str | None
    after: str | None

    def __str__(self) -> str:
        if self.before == self.after:
            return f"nothing to do: the schema is at {_named(self.after)}"
        return f"the schema went from {_named(self.before)} to {_named(self.after)}"


def _named(revision: str | None) -> str:
    return "nothing" if revision is None else f"revision {revision}"


def _run(connection: Connection, config: Config, target: str) -> Migrated:
    before = _revision(connection)
    if before is not None and before != target:
        _refuse_to_fall_back(ScriptDirectory.from_config(config), before, target)
    _move(connection, config, target)
    return Migrated(before, _revision(connection))


def _revision(connection: Connection) -> str | None:
    found: str | None = MigrationContext.configure(connection).get_current_revision()
    connection.commit()
    return found


def _refuse_to_fall_back(scripts: ScriptDirectory, before: str, target: str) -> None:
    """A way back loses what the newer revisions have stored: it is asked for in steps, not by an old name."""
    passed = [each.revision for each in scripts.iterate_revisions(before, "base")]
    if target in passed:
        raise CommandError(f"the schema is at revision {before}, past {target}: go back with -{passed.index(target)}")


def _move(connection: Connection, config: Config, target: str) -> None:
    config.attributes["connection"] = connection
    if target == "base" or target.startswith("-"):
        command.downgrade(config, target)
    else:
        command.upgrade(config, target)


async def migrate(owner_url: str, runtime_url: str, target: str = "head") -> Migrated:
    """As the owner, brings the schema up to `head` or a revision, or back by `-1` or to `base`."""
    engine = _engine(owner_url)
    try:
        # In a transaction of another connection: a lock of the session would stay behind in a transaction pooler.
        async with engine.begin() as locking, engine.connect() as connection:
            await locking.execute(_LOCK)
            migrated = await connection.run_sync(_run, _config(runtime_url), target)
            await connection.commit()
            return migrated
    finally:
        await engine.dispose()


def _engine(owner_url: str) -> AsyncEngine:
    options = connect_args(owner_url, {"lock_timeout": str(_LOCK_TIMEOUT_MS)}, pooled=True)
    return create_async_engine(f"{DRIVER}://", connect_args=options, poolclass=NullPool)


def migrate_blocking(owner_url: str, runtime_url: str, target: str = "head") -> None:
    asyncio.run(migrate(owner_url, runtime_url, target))
