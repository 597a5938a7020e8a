from __future__ import annotations

from collections.abc import Sequence
from typing import Final

from sqlalchemy import ARRAY, Text, bindparam, text
from sqlalchemy.ext.asyncio import AsyncConnection

from partywall.core.db.base import TableKind
from partywall.core.feature import FeatureError
from partywall.extensions.enabled import enabled_features, is_installed
from partywall.extensions.table_checks import tables_of

# Without a policy, a table with forced row-level security shows nothing.
_OPEN: Final = text("""
    SELECT relname FROM pg_class
    WHERE relnamespace = 'public'::regnamespace AND relname = ANY (:names)
        AND NOT (relrowsecurity AND relforcerowsecurity)
    ORDER BY relname
""").bindparams(bindparam("names", type_=ARRAY(Text)))

_MISSING: Final = text(
    "SELECT name FROM unnest(:names) AS name WHERE to_regclass(quote_ident(name)) IS NULL"
).bindparams(bindparam("names", type_=ARRAY(Text)))


async def refuse_open_tables(connection: AsyncConnection, names: tuple[str, ...]) -> None:
    """Raises FeatureError if a table of an enabled installed feature is missing or has no forced row-level security."""
    for feature in filter(is_installed, enabled_features(names)):
        tables = [each.name for each in tables_of(feature)]
        for name in await connection.scalars(_MISSING, {"names": tables}):
            raise FeatureError(f"the feature {feature.name} lacks its table {name}: run `partywall migrate`")
        guarded = [each.name for each in tables_of(feature) if each.info.get("kind") is not TableKind.SYSTEM]
        for name in await open_tables(connection, guarded):
            raise FeatureError(
                f"the feature {feature.name} has the table {name} without forced row-level security: add it to its"
                " migration"
            )


async def open_tables(connection: AsyncConnection, names: Sequence[str]) -> list[str]:
    """Those of these tables in which any caller sees every row."""
    return list((await connection.scalars(_OPEN, {"names": list(names)})).all())
