"""A migration of an installed feature changes its own tables only."""

from __future__ import annotations

from typing import Final

from alembic.util import CommandError
from sqlalchemy import Connection, text

from partywall.core.db.open_tables import OPEN_TABLES
from partywall.core.db.statements import statement

_OTHERS: Final = text(statement("core/db/sql/statements/foreign_definitions.sql"))


class ForeignChangeError(CommandError):
    """Says what a migration of a feature does that it may not: it is rolled back."""


class OwnChangesOnly:
    """Compares the rest of the database before and after each migration of a feature, in its transaction."""

    def __init__(self, connection: Connection, feature: str) -> None:
        self._connection = connection
        self._names = {"feature": feature, "prefix": f"{feature}_"}
        self._before = self._others()

    def check(self, **_step: object) -> None:
        """Called by Alembic after each migration, before its commit. Raises ForeignChangeError."""
        feature = self._names["feature"]
        changed = sorted({name for name, *_ in self._before ^ self._others()})
        if changed:
            raise ForeignChangeError(
                f"changes {', '.join(changed[:3])}, which is not its own:"
                f" change only {feature} and what begins with {feature}_"
            )
        for name, is_project in self._connection.execute(OPEN_TABLES):
            if is_project and (name == feature or name.startswith(f"{feature}_")):
                raise ForeignChangeError(
                    f"leaves the table {name} open to other projects: force its row-level security, and let every"
                    " policy compare wall.current_project(), as guard_project_table does"
                )

    def _others(self) -> frozenset[tuple[str, ...]]:
        return frozenset(tuple(map(str, row)) for row in self._connection.execute(_OTHERS, self._names))
