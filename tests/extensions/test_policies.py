"""A table of an installed package is refused if the database does not guard it."""

from __future__ import annotations

import pytest
from sqlalchemy import text

from partywall.core.db.engine import create_engine
from partywall.core.feature import FeatureError
from partywall.extensions.policies import open_tables, refuse_open_tables
from partywall.extensions.table_checks import tables_of
from partywall.features.registry import FEATURES
from partywall.testing.engines import DatabaseUrls
from tests.extensions.packages import FEATURE, Install


async def test_an_open_or_missing_table_is_refused(database: DatabaseUrls, install: Install) -> None:
    """Its models are those of documents, so that no table stays in the metadata of this process."""
    [documents] = [feature for feature in FEATURES if feature.name == "documents"]
    install(feature=FEATURE.replace("orders.models", "partywall.features.documents.models"))
    engine = create_engine(database.superuser, pool_size=1, overflow=0, settings={}, pooled=True)
    try:
        async with engine.connect() as connection:
            names = [table.name for table in tables_of(documents)]
            assert await open_tables(connection, [*names, "no_such_table"]) == []
            await refuse_open_tables(connection, ("orders",))
            await connection.execute(text("ALTER TABLE document NO FORCE ROW LEVEL SECURITY"))
            assert await open_tables(connection, names) == ["document"]
            with pytest.raises(FeatureError, match="orders has the table document without forced row-level security"):
                await refuse_open_tables(connection, ("orders",))
            await connection.rollback()
            await connection.execute(text("ALTER TABLE document_version RENAME TO elsewhere"))
            with pytest.raises(FeatureError, match="orders lacks its table document_version: run `partywall migrate`"):
                await refuse_open_tables(connection, ("orders",))
            await connection.rollback()
    finally:
        await engine.dispose()
