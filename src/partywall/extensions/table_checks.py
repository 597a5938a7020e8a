from __future__ import annotations

from collections.abc import Iterator, Sequence

from sqlalchemy import ForeignKeyConstraint, MetaData, Table, Uuid

from partywall.core.db.base import Base, TableKind
from partywall.core.feature import Feature
from partywall.extensions.enabled import is_installed
from partywall.extensions.problem import Problem


def metadata_of(features: Sequence[Feature]) -> MetaData:
    """All tables of these features, after importing them."""
    for feature in features:
        if feature.models is not None:
            feature.models.load()
    return Base.metadata


def tables_of(feature: Feature) -> list[Table]:
    """The tables in its module of models that its own package declares."""
    if feature.models is None:
        return []
    module = feature.models.load()
    package = module.__name__.rpartition(".")[0] + "."
    classes = (each for each in vars(module).values() if isinstance(each, type) and issubclass(each, Base))
    tables = (each.__table__ for each in classes if each is not Base and each.__module__.startswith(package))
    return [table for table in tables if isinstance(table, Table)]


def table_problems(features: Sequence[Feature]) -> Iterator[Problem]:
    """Tables without a kind, which decides their policy, and project tables with keys that leave out the project."""
    for feature in features:
        for table in tables_of(feature):
            for text in wrong_in(table):
                yield Problem(feature.name, f"has the table {table.name} {text}")
            if is_installed(feature) and table.name != feature.name and not table.name.startswith(f"{feature.name}_"):
                yield Problem(feature.name, f"has the table {table.name}: call it {feature.name}_{table.name}")


def wrong_in(table: Table) -> Iterator[str]:
    kind = table.info.get("kind")
    if not isinstance(kind, TableKind):
        yield 'without a policy: set info={"kind": TableKind.PROJECT}'
    if kind is TableKind.PROJECT:
        column = table.columns.get("project_id")
        if column is None or not isinstance(column.type, Uuid) or column.nullable:
            yield "of a project without a column project_id: add one of type Uuid that is not nullable"
        for key in crossable_keys(table):
            yield f"whose foreign key {key.name} could point into another project: add project_id to it"


def crossable_keys(table: Table) -> list[ForeignKeyConstraint]:
    """Foreign keys through which a row could point into another project."""
    return [
        key
        for key in table.foreign_key_constraints
        if key.referred_table.info.get("kind") is TableKind.PROJECT
        and ("project_id", "project_id") not in {(each.parent.name, each.column.name) for each in key.elements}
    ]
