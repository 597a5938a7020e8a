from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import Final

from alembic import command
from alembic.config import Config
from alembic.runtime.migration import MigrationContext
from alembic.script import Script, ScriptDirectory
from alembic.util import CommandError
from sqlalchemy import Connection, make_url, text
from sqlalchemy.ext.asyncio import AsyncConnection, AsyncEngine, create_async_engine
from sqlalchemy.pool import NullPool

from partywall.core.db.engine import DRIVER, connect_args

_PACKAGED: Final = Path(__file__).parents[2] / "_migrations"
_CHECKOUT: Final = Path(__file__).parents[4] / "migrations"
# Concurrent deploys migrate one after the other.
_LOCK: Final = text(
    "SELECT set_config('lock_timeout', '0', true), pg_advisory_xact_lock(hashtext('partywall.migrations'))"
)
_BASE: Final = "base"
# Only a superuser can create all of them.
_MISSING_EXTENSIONS: Final = text("""
    SELECT name FROM unnest(ARRAY['btree_gin', 'pg_trgm', 'unaccent', 'vector']) AS name
    WHERE name NOT IN (SELECT extname FROM pg_extension) ORDER BY name
""")
# The size of the tables, because row-level security hides the rows even from the owner.
_SIZE: Final = text("""
    SELECT pg_size_pretty(coalesce(sum(pg_table_size(oid)), 0)) FROM pg_class
    WHERE relnamespace = 'public'::regnamespace AND relkind = 'r'
""")
# A migration that waits for a lock blocks all traffic behind it, so it waits no longer than a request would.
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
    """The newest revision known to this program."""
    head = ScriptDirectory.from_config(_config("postgresql://nobody@localhost/")).get_current_head()
    assert head is not None
    return head


@dataclass(frozen=True, slots=True)
class Migrated:
    """The revisions before and after; None for a database without our schema."""

    before: str | None
    after: str | None

    def __str__(self) -> str:
        if self.before == self.after:
            return f"nothing to do: the schema is at {_named(self.after)}"
        return f"the schema went from {_named(self.before)} to {_named(self.after)}"


def _named(revision: str | None) -> str:
    return "nothing" if revision is None else f"revision {revision}"


class DataLossError(CommandError):
    """A downgrade was requested without permission to lose data."""


def _run(connection: Connection, config: Config, target: str, *, keep_data: bool) -> Migrated:
    before = _revision(connection)
    undone = _undone(ScriptDirectory.from_config(config), before, target)
    if undone and keep_data:
        raise DataLossError(_what_is_lost(connection, undone, target))
    if not undone:
        _require_extensions(connection)
    _move(connection, config, target, back=bool(undone) or _is_back(target))
    return Migrated(before, _revision(connection))


def _revision(connection: Connection) -> str | None:
    found: str | None = MigrationContext.configure(connection).get_current_revision()
    connection.commit()
    return found


def _require_extensions(connection: Connection) -> None:
    missing = connection.scalars(_MISSING_EXTENSIONS).all()
    connection.commit()
    if missing:
        made = " ".join(f"CREATE EXTENSION {name};" for name in missing)
        raise CommandError(f"the database lacks {', '.join(missing)}: have a superuser run {made}")


def _is_back(target: str) -> bool:
    return target == _BASE or target.startswith("-")


def _undone(scripts: ScriptDirectory, before: str | None, target: str) -> list[Script]:
    """The revisions that a downgrade to `target` undoes, newest first."""
    if before is None or before == target:
        return []
    passed = list(scripts.iterate_revisions(before, _BASE))
    if target.startswith("-"):
        return passed[: int(target[1:])]
    names = [each.revision for each in passed]
    return passed if target == _BASE else passed[: names.index(target)] if target in names else []


def _what_is_lost(connection: Connection, undone: Sequence[Script], target: str) -> str:
    newest, oldest = undone[0], undone[-1]
    if oldest.down_revision is None:
        size = connection.scalar(_SIZE)
        lost = f"everything that is stored: all accounts, projects and documents, {size} in all"
    elif newest is oldest:
        lost = f"what revision {newest.revision} has stored ({newest.doc})"
    else:
        lost = f"what the revisions {oldest.revision} to {newest.revision} have stored"
    return f"going back from revision {newest.revision} to {target} loses {lost}: to do it, give --lose-data as well"


def _move(connection: Connection, config: Config, target: str, *, back: bool) -> None:
    config.attributes["connection"] = connection
    if back:
        command.downgrade(config, target)
    else:
        command.upgrade(config, target)


async def migrate(owner_url: str, runtime_url: str, target: str = "head", *, keep_data: bool = False) -> Migrated:
    """As the owner, upgrades the schema to `head` or a revision, or downgrades by `-1`, to a revision or to `base`.

    With `keep_data`, a downgrade raises DataLossError.
    """
    async with migrating(owner_url) as connection:
        return await connection.run_sync(partial(_run, keep_data=keep_data), _config(runtime_url), target)


@asynccontextmanager
async def migrating(owner_url: str) -> AsyncIterator[AsyncConnection]:
    """A connection of the owner, while no other process migrates."""
    engine = _engine(owner_url)
    try:
        # In a transaction of another connection: a transaction pooler would leave a session lock behind.
        async with engine.begin() as locking, engine.connect() as connection:
            await locking.execute(_LOCK)
            yield connection
            await connection.commit()
    finally:
        await engine.dispose()


def _engine(owner_url: str) -> AsyncEngine:
    options = connect_args(owner_url, {"lock_timeout": str(_LOCK_TIMEOUT_MS)}, pooled=True)
    return create_async_engine(f"{DRIVER}://", connect_args=options, poolclass=NullPool)


def migrate_blocking(owner_url: str, runtime_url: str, target: str = "head") -> None:
    asyncio.run(migrate(owner_url, runtime_url, target))
