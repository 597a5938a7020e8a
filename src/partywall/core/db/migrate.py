"""Applies the migrations, one process at a time."""

from __future__ import annotations

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
_HEAD: Final = "head"
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
    history = _history(config)
    before = _revision(connection)
    now = _place(history, before)
    then = _target_place(history, now, target)
    if then < now and keep_data:
        raise DataLossError(_what_is_lost(connection, history[then:now], target))
    config.attributes["connection"] = connection
    if then > now:
        _require_extensions(connection)
        command.upgrade(config, history[then - 1].revision)
    elif then < now:
        command.downgrade(config, history[then - 1].revision if then else _BASE)
    return Migrated(before, _revision(connection))


def _history(config: Config) -> Sequence[Script]:
    """The revisions, oldest first."""
    return list(ScriptDirectory.from_config(config).walk_revisions())[::-1]


def _revision(connection: Connection) -> str | None:
    found: str | None = MigrationContext.configure(connection).get_current_revision()
    connection.commit()
    return found


def _place(history: Sequence[Script], revision: str | None) -> int:
    """How many revisions lead to this one."""
    names = [None, *(each.revision for each in history)]
    if revision not in names:
        raise CommandError(
            f"the schema is at revision {revision}, which this version does not know:"
            " use the version of Partywall that made it"
        )
    return names.index(revision)


def _target_place(history: Sequence[Script], now: int, target: str) -> int:
    places = {_BASE: 0, **{each.revision: place for place, each in enumerate(history, 1)}, _HEAD: len(history)}
    is_relative = target[0] in "+-"
    then = now + int(target) if is_relative else places.get(target, -1)
    if 0 <= then <= len(history):
        return then
    if is_relative:
        raise CommandError(f"{target} goes too far: {now} back and {len(history) - now} forward are possible")
    raise CommandError(f"there is no revision {target}: the newest is {history[-1].revision}")


def _require_extensions(connection: Connection) -> None:
    missing = connection.scalars(_MISSING_EXTENSIONS).all()
    connection.commit()
    if missing:
        made = " ".join(f"CREATE EXTENSION {name};" for name in missing)
        raise CommandError(f"the database lacks {', '.join(missing)}: have a superuser run {made}")


def _what_is_lost(connection: Connection, undone: Sequence[Script], target: str) -> str:
    oldest, newest = undone[0], undone[-1]
    if oldest.down_revision is None:
        size = connection.scalar(_SIZE)
        lost = f"everything that is stored: all accounts, projects and documents, {size} in all"
    elif newest is oldest:
        lost = f"what revision {newest.revision} has stored ({newest.doc})"
    else:
        lost = f"what the revisions {oldest.revision} to {newest.revision} have stored"
    return f"going back from revision {newest.revision} to {target} loses {lost}: to do it, give --lose-data as well"


async def migrate(owner_url: str, runtime_url: str, target: str = "head", *, keep_data: bool = False) -> Migrated:
    """As the owner, moves the schema to `head`, `base` or a revision, or by steps such as `+1` or `-1`.

    With `keep_data`, a downgrade raises DataLossError. A target that does not exist raises CommandError.
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
