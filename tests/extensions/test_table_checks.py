"""A table has a policy, and every key of a project table includes the project."""

from __future__ import annotations

import pytest
from sqlalchemy import Column, ForeignKeyConstraint, MetaData, Table, Text, UniqueConstraint, Uuid

from partywall.core.db.base import TableKind
from partywall.extensions.table_checks import wrong_in

PROJECT = {"kind": TableKind.PROJECT}


def parent(metadata: MetaData) -> Table:
    unique = UniqueConstraint("project_id", "id")
    return Table(
        "parent", metadata, Column("project_id", Uuid, nullable=False), Column("id", Uuid), unique, info=PROJECT
    )


def child(metadata: MetaData, *key: str) -> Table:
    columns = (Column("project_id", Uuid, nullable=False), Column("parent_id", Uuid))
    reference = ForeignKeyConstraint(key, [f"parent.{name.removeprefix('parent_')}" for name in key], name="the_key")
    return Table("child", metadata, *columns, reference, info=PROJECT)


def test_a_table_that_keeps_the_rules_is_accepted() -> None:
    metadata = MetaData()
    assert list(wrong_in(parent(metadata))) == []
    assert list(wrong_in(child(metadata, "project_id", "parent_id"))) == []


def test_a_key_without_the_project_is_found() -> None:
    metadata = MetaData()
    parent(metadata)
    [text] = wrong_in(child(metadata, "parent_id"))
    assert "foreign key the_key could point into another project" in text


def test_a_table_without_a_kind_is_found() -> None:
    [text] = wrong_in(Table("note", MetaData(), Column("project_id", Uuid, nullable=False)))
    assert text.startswith("without a policy")


@pytest.mark.parametrize(
    "column", [Column("id", Uuid), Column("project_id", Text, nullable=False), Column("project_id", Uuid)], ids=str
)
def test_a_project_table_without_its_project_is_found(column: Column[object]) -> None:
    [text] = wrong_in(Table("note", MetaData(), column, info=PROJECT))
    assert "without a column project_id" in text
