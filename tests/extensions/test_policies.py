"""A table of an installed package is refused if the database does not guard it."""

from __future__ import annotations

from collections.abc import Iterator

import pytest
from sqlalchemy import text

from partywall.core.db.base import Base
from partywall.core.db.engine import create_engine
from partywall.core.feature import FeatureError
from partywall.extensions.checks import check_features
from partywall.extensions.enabled import enabled_features
from partywall.extensions.policies import open_tables, refuse_open_tables
from partywall.extensions.table_checks import tables_of
from partywall.features.registry import FEATURES
from partywall.testing.engines import DatabaseUrls
from tests.extensions.packages import FEATURE, WORK, Install


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


@pytest.fixture
def tables_afterwards() -> Iterator[None]:
    """Removes what a test adds to the metadata of this process."""
    before = set(Base.metadata.tables)
    yield
    for name in set(Base.metadata.tables) - before:
        Base.metadata.remove(Base.metadata.tables[name])


ITEM = """
from sqlalchemy import Column, Table, Uuid
from partywall.core.db.base import Base, TableKind

PROJECT = {"kind": TableKind.PROJECT}
ITEM = Table("orders_item", Base.metadata, Column("project_id", Uuid, primary_key=True), info=PROJECT)
"""
MAPPED = """
from uuid import UUID
from sqlalchemy.orm import Mapped, mapped_column
from partywall.core.db.base import Base, TableKind

class Item(Base):
    __tablename__ = "item"
    project_id: Mapped[UUID] = mapped_column(primary_key=True)

class Bill(Base):  # of the other feature
    __tablename__ = "bills_bill"
    project_id: Mapped[UUID] = mapped_column(primary_key=True)
"""
MODELS = '    models=lazy("orders.models"),\n'


@pytest.mark.parametrize("models", ["", '    models=lazy("orders"),\n', MODELS])
@pytest.mark.usefixtures("tables_afterwards")
async def test_a_table_is_found_whatever_the_feature_names(
    database: DatabaseUrls, install: Install, models: str
) -> None:
    install(feature=FEATURE.replace(MODELS, models), tables=ITEM, work=f"import orders.tables\n{WORK}")
    assert check_features(enabled_features(("orders",)), api=False) == []
    engine = create_engine(database.superuser, pool_size=1, overflow=0, settings={}, pooled=True)
    try:
        async with engine.connect() as connection:
            await connection.execute(text("CREATE TABLE orders_item (project_id uuid PRIMARY KEY)"))
            with pytest.raises(FeatureError, match="orders has the table orders_item without forced row-level"):
                await refuse_open_tables(connection, ("orders",))
            await connection.rollback()
    finally:
        await engine.dispose()


@pytest.mark.usefixtures("tables_afterwards")
def test_a_table_without_kind_or_prefix_is_found_in_any_module(install: Install) -> None:
    install("orders", "bills", feature=FEATURE.replace(MODELS, ""), tables=MAPPED, work=f"import orders.tables\n{WORK}")
    assert [problem.text for problem in check_features(enabled_features(("orders",)), api=False)] == [
        'has the table item without a policy: set info={"kind": TableKind.PROJECT}',
        "has the table item: call it orders_item",
    ]
