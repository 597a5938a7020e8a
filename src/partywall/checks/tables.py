"""Tables in the source: declarative classes and `Table(...)` assignments."""

from __future__ import annotations

import ast
from collections.abc import Iterator
from dataclasses import dataclass


@dataclass(frozen=True)
class Table:
    """`symbol` is the Python name in queries, `name` the table's name in SQL."""

    symbol: str
    name: str
    slice: str | None
    has_project_id: bool
    kind: str | None

    @property
    def belongs_to_project(self) -> bool:
        """The declared kind decides; without one, the column does."""
        return self.has_project_id if self.kind is None else self.kind == "project"


def collect_tables(tree: ast.Module, slice_name: str | None, mixins: frozenset[str]) -> Iterator[Table]:
    for node in ast.walk(tree):
        if isinstance(node, ast.ClassDef) and (name := tablename(node)):
            yield Table(node.name, name, slice_name, _class_has_project_id(node, mixins), declared_kind(node))
        elif isinstance(node, ast.Assign) and isinstance(node.value, ast.Call):
            yield from _core_table(node.targets[0], node.value, slice_name)
        elif isinstance(node, ast.AnnAssign) and isinstance(node.value, ast.Call):
            yield from _core_table(node.target, node.value, slice_name)


def _core_table(target: ast.expr, call: ast.Call, slice_name: str | None) -> Iterator[Table]:
    if called_name(call) != "Table" or not isinstance(target, ast.Name) or not call.args:
        return
    if isinstance(name := call.args[0], ast.Constant) and isinstance(name.value, str):
        columns = [arg for arg in call.args if isinstance(arg, ast.Call) and called_name(arg) == "Column"]
        has_project_id = any(_first_string(column) == "project_id" for column in columns)
        yield Table(target.id, name.value, slice_name, has_project_id, declared_kind(call))


def tablename(node: ast.ClassDef) -> str | None:
    for item in node.body:
        target = item.targets[0] if isinstance(item, ast.Assign) else getattr(item, "target", None)
        if isinstance(target, ast.Name) and target.id == "__tablename__":
            value = getattr(item, "value", None)
            return value.value if isinstance(value, ast.Constant) and isinstance(value.value, str) else None
    return None


def _class_has_project_id(node: ast.ClassDef, mixins: frozenset[str]) -> bool:
    own = any(
        isinstance(item, ast.AnnAssign) and isinstance(item.target, ast.Name) and item.target.id == "project_id"
        for item in node.body
    )
    return own or any(ast.unparse(base).rpartition(".")[2] in mixins for base in node.bases)


def declared_kind(node: ast.AST) -> str | None:
    """`project` for `info={"kind": TableKind.PROJECT}`."""
    kinds = (
        child.attr.lower()
        for child in ast.walk(node)
        if isinstance(child, ast.Attribute) and ast.unparse(child.value).rpartition(".")[2] == "TableKind"
    )
    return next(kinds, None)


def called_name(call: ast.Call) -> str:
    """`mapped_column` for both `mapped_column(...)` and `orm.mapped_column(...)`."""
    if isinstance(call.func, ast.Attribute):
        return call.func.attr
    return call.func.id if isinstance(call.func, ast.Name) else ""


def _first_string(call: ast.Call) -> str | None:
    first = call.args[0] if call.args else None
    return first.value if isinstance(first, ast.Constant) and isinstance(first.value, str) else None
