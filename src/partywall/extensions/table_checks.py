from __future__ import annotations

from collections.abc import Iterator, Sequence

from sqlalchemy import ForeignKeyConstraint, MetaData, Table, Uuid

from partywall.core.db.base import Base, TableKind
from partywall.core.feature import Feature
from partywall.extensions.enabled import is_installed, offered_names, package_of
from partywall.extensions.problem import Problem


def metadata_of(features: Sequence[Feature]) -> MetaData:
    """All tables of these features, after importing them."""
    for feature in features:
        if feature.models is not None:
            feature.models.load()
    return Base.metadata


def tables_of(feature: Feature) -> list[Table]:
    """Its tables: those in its module of models, and for installed features those of all other imported modules."""
    others = _elsewhere(feature) if is_installed(feature) else ()
    return list(dict.fromkeys((*_in_models(feature), *others)))


def _in_models(feature: Feature) -> Iterator[Table]:
    if feature.models is None:
        return
    module = feature.models.load()
    package = module.__name__.rpartition(".")[0] + "."
    classes = (each for each in vars(module).values() if isinstance(each, type) and issubclass(each, Base))
    tables = (each.__table__ for each in classes if each is not Base and each.__module__.startswith(package))
    yield from (table for table in tables if isinstance(table, Table))


def _elsewhere(feature: Feature) -> Iterator[Table]:
    """Tables with its name, and those of its package that have no other feature's name."""
    modules = {mapper.local_table: mapper.class_.__module__ for mapper in Base.registry.mappers}
    others = offered_names() - {feature.name}
    for table in Base.metadata.sorted_tables:
        is_near = modules.get(table, "").partition(".")[0] == package_of(feature)
        if _has_name(table, feature.name) or (is_near and not any(_has_name(table, other) for other in others)):
            yield table


def _has_name(table: Table, name: str) -> bool:
    return table.name == name or table.name.startswith(f"{name}_")


def table_problems(features: Sequence[Feature]) -> Iterator[Problem]:
    """Tables without a kind, which decides their policy, and project tables with keys that leave out the project."""
    for feature in features:
        for table in tables_of(feature):
            for text in wrong_in(table):
                yield Problem(feature.name, f"has the table {table.name} {text}")
            if is_installed(feature) and not _has_name(table, feature.name):
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
