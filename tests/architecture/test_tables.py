"""The declared tables, beyond what `partywall.extensions.table_checks` asks of every feature's."""

from __future__ import annotations

import re

import pytest
from sqlalchemy import Column, DateTime, Table

from partywall.core.db.base import TableKind
from partywall.extensions.enabled import enabled_features
from partywall.extensions.table_checks import metadata_of

TABLES = metadata_of(enabled_features()).sorted_tables
ROOT_TABLE = "project"

every_table = pytest.mark.parametrize("table", TABLES, ids=lambda table: table.name)


def kind_of(table: Table) -> object:
    return table.info.get("kind")


def is_project_table(table: Table) -> bool:
    return kind_of(table) is TableKind.PROJECT


@every_table
def test_a_table_that_carries_a_project_says_why_it_is_no_project_table(table: Table) -> None:
    """Only tables that are read before a scope exists, or that belong to a principal, may have the column."""
    if "project_id" in table.columns and not is_project_table(table) and not table.info.get("names_project"):
        assert kind_of(table) in {TableKind.DIRECTORY, TableKind.PRINCIPAL}


@every_table
def test_a_project_table_hangs_off_its_project(table: Table) -> None:
    """Through the project itself or a parent, so that deleting the project deletes the rows."""
    if is_project_table(table):
        parents = {key.referred_table for key in table.foreign_key_constraints if key.ondelete == "CASCADE"}
        assert any(parent.name == ROOT_TABLE or is_project_table(parent) for parent in parents)


@every_table
def test_names_follow_the_convention(table: Table) -> None:
    assert re.fullmatch(r"[a-z][a-z0-9]*(?:_[a-z0-9]+)*", table.name)
    assert not re.search(r"(?<!s)(?<!statu)(?<!acces)s$", table.name), "a table is named in the singular"
    late = [column.name for column in table.columns if is_badly_named_instant(column)]
    assert late == []


def is_badly_named_instant(column: Column[object]) -> bool:
    named = column.name.endswith(("_at", "_until")) or column.name == "at"
    return isinstance(column.type, DateTime) and not (named and column.type.timezone)
