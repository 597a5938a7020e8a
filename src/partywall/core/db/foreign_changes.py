"""A migration of an installed feature changes its own tables only."""

from __future__ import annotations

from typing import Final

from alembic.util import CommandError
from sqlalchemy import Connection, text

from partywall.core.db.statements import statement

_OTHERS: Final = text(statement("core/db/sql/statements/foreign_definitions.sql"))
_OPEN: Final = text("""
    SELECT relname FROM pg_class JOIN pg_attribute ON attrelid = pg_class.oid AND attname = 'project_id'
    WHERE relkind = 'r' AND relnamespace = 'public'::regnamespace
        AND (relname = :feature OR starts_with(relname, :prefix)) AND NOT (relrowsecurity AND relforcerowsecurity)
    ORDER BY relname
""")


class ForeignChangeError(CommandError):
    """A migration of a feature changes what is not its own, or leaves a table open; it is rolled back."""


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
                f"a migration of the feature {feature} changes {', '.join(changed[:3])}, which is not its own:"
                f" change only {feature} and what begins with {feature}_"
            )
        for name in self._connection.scalars(_OPEN, self._names):
            raise ForeignChangeError(
                f"a migration of the feature {feature} leaves the table {name} open to other projects:"
                " call guard_project_table"
            )

    def _others(self) -> frozenset[tuple[str, ...]]:
        return frozenset(tuple(map(str, row)) for row in self._connection.execute(_OTHERS, self._names))
