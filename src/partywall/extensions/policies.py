from __future__ import annotations

from collections.abc import Sequence
from typing import Final

from sqlalchemy import ARRAY, Text, bindparam, text
from sqlalchemy.ext.asyncio import AsyncConnection

from partywall.core.db.base import TableKind
from partywall.core.db.open_tables import OPEN_TABLES
from partywall.core.feature import FeatureError
from partywall.extensions.enabled import enabled_features, is_installed
from partywall.extensions.table_checks import tables_of

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
                f"the feature {feature.name} has the table {name} without forced row-level security, or with a policy"
                " that does not compare wall.current_project(): correct its migration"
            )


async def open_tables(connection: AsyncConnection, names: Sequence[str]) -> list[str]:
    """Those of these tables in which any caller sees every row."""
    return [name for name in await connection.scalars(OPEN_TABLES) if name in names]
