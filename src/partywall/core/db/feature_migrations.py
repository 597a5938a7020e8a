"""Migrates the tables of one installed feature, which has a version table of its own."""

from __future__ import annotations

from asyncio import CancelledError
from collections.abc import Sequence
from functools import partial
from pathlib import Path

from alembic import command
from alembic.config import Config
from alembic.runtime.migration import MigrationContext
from alembic.script import ScriptDirectory
from alembic.util import CommandError
from sqlalchemy import Connection, make_url
from sqlalchemy.exc import DBAPIError

from partywall.core.db.driver_errors import first_line, session_is_away
from partywall.core.db.feature_history import FeatureHistory
from partywall.core.db.foreign_changes import ForeignChangeError, OwnChangesOnly
from partywall.core.db.migrate import DataLossError, Migrated, migrating, migrations_directory
from partywall.core.lazy import in_one_line


class FailedMigrationError(CommandError):
    """A migration raised an error, or did what it may not; it was rolled back."""


async def migrate_feature(
    owner_url: str, runtime_url: str, history: FeatureHistory, target: str, *, keep_data: bool
) -> str:
    config = _config(history, runtime_url)
    async with migrating(owner_url) as connection:
        moved = await connection.run_sync(partial(_run, keep_data=keep_data), config, history, target)
    return f"{history.feature}: {moved}"


def _config(history: FeatureHistory, runtime_url: str) -> Config:
    config = Config()
    config.set_main_option("script_location", str(migrations_directory()).replace("%", "%%"))
    config.set_main_option("path_separator", "newline")
    config.set_main_option("version_locations", str(history.folder).replace("%", "%%"))
    config.attributes["runtime_role"] = make_url(runtime_url).username
    return config


def _run(connection: Connection, config: Config, history: FeatureHistory, target: str, *, keep_data: bool) -> Migrated:
    scripts = list(ScriptDirectory.from_config(config).walk_revisions())[::-1]
    revisions = [each.revision for each in scripts]
    before = _revision(connection, history)
    now, then = _places(history.feature, revisions, before, target)
    if then < now and keep_data:
        raise DataLossError(
            f"going back from revision {before} of {history.feature} to {target} loses what it has stored since:"
            " to do it, give --lose-data as well"
        )
    guard = OwnChangesOnly(connection, history.feature)
    connection.commit()
    config.attributes["connection"] = connection
    config.attributes["options"] = {"version_table": history.version_table, "on_version_apply": guard.check}
    try:
        if then > now:
            command.upgrade(config, revisions[then - 1])
        elif then < now:
            command.downgrade(config, revisions[then - 1] if then else "base")
    except (KeyboardInterrupt, CancelledError):
        raise
    except BaseException as error:
        connection.rollback()
        if isinstance(error, Exception) and session_is_away(error):
            raise
        done = ["", *revisions].index(_revision(connection, history) or "")
        file = Path(scripts[done if then > now else done - 1].path).name
        raise FailedMigrationError(f"the migration {file} of the feature {history.feature} {_fault(error)}") from error
    return Migrated(before, _revision(connection, history))


def _fault(error: BaseException) -> str:
    if isinstance(error, ForeignChangeError):
        return str(error)
    return f"fails: {first_line(error) if isinstance(error, DBAPIError) else in_one_line(error)}: correct it"


def _revision(connection: Connection, history: FeatureHistory) -> str | None:
    context = MigrationContext.configure(connection, opts={"version_table": history.version_table})
    found: str | None = context.get_current_revision()
    connection.commit()
    return found


def _places(feature: str, revisions: Sequence[str], before: str | None, target: str) -> tuple[int, int]:
    """How many revisions lead to the current one, and to the target."""
    names = ["base", *revisions]
    if (before or "base") not in names:
        raise CommandError(f"{feature} is at revision {before}, which the installed version does not know: update it")
    now = names.index(before or "base")
    if target == "head":
        return now, len(revisions)
    then = now + int(target) if target[0] in "+-" else names.index(target) if target in names else -1
    if not 0 <= then <= len(revisions):
        raise CommandError(f"{feature} has no revision {target}: its revisions are {', '.join(revisions) or 'none'}")
    return now, then
