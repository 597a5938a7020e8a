"""Runs SQL files of the package, for migrations."""

from __future__ import annotations

from pathlib import Path
from typing import Final

from alembic import context, op
from sqlalchemy import text

PACKAGE: Final = Path(__file__).parents[2]
# Functions name tables of other files, so their bodies are checked by a test of the whole schema.
_BEFORE: Final = "SET LOCAL check_function_bodies = off"
_AFTER: Final = "REVOKE EXECUTE ON ALL FUNCTIONS IN SCHEMA wall FROM PUBLIC"


def load_sql(revision: str, *files: str) -> None:
    """Runs files of the package, named from its directory, as they were at `revision`.

    `:runtime_role` stands for the role that the program runs as. PUBLIC loses the right to call the functions.
    """
    copies = Path(str(context.config.get_main_option("script_location"))) / "sql"
    run_sql(_BEFORE)
    for file in files:
        run_sql(text_at(copies, revision, file))
    run_sql(_AFTER)


def text_at(copies: Path, revision: str, file: str) -> str:
    """The newest copy up to `revision`; without copies, which exist since the first release, the file itself."""
    revisions = sorted((each for each in copies.glob("*") if each.name <= revision), reverse=True)
    found = next((each / file for each in revisions if (each / file).is_file()), PACKAGE / file)
    return found.read_text(encoding="utf-8")


def run_sql(statements: str) -> None:
    """Runs many statements at once, in the migration's transaction."""
    connection = op.get_bind()
    # SQLAlchemy sends BEGIN with its own first statement; without it the driver would commit each statement.
    connection.execute(text("SELECT 1"))
    named = statements.replace(":runtime_role", _runtime_role())
    connection.connection.dbapi_connection.run_async(  # type: ignore[union-attr]  # the asyncpg adapter's own
        lambda driver: driver.execute(named)
    )


def _runtime_role() -> str:
    """The quoted name of the role that the program runs as. It has granted rights and owns nothing."""
    name = context.config.attributes["runtime_role"]
    return '"' + str(name).replace('"', '""') + '"'
