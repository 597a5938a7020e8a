"""Tables of a package: their kind, their keys, their policy, and migrations that leave others alone."""

from __future__ import annotations

import ast
import re
from collections.abc import Iterator
from typing import Final

from partywall.checks.package import MIGRATIONS, Package, text_of
from partywall.checks.source import Finding, Source
from partywall.checks.tables import called_name, declared_kind, tablename
from partywall.core.db.revisions import not_in_line, revision_in

_GUARDS: Final = ("create_project_table", "guard_project_table")
# Operations of Alembic, by the place of the argument that names the table.
_OPERATIONS: Final = {
    "add_column": 0, "alter_column": 0, "batch_alter_table": 0, "bulk_insert": 0, "create_check_constraint": 1,
    "create_exclude_constraint": 1, "create_foreign_key": 1, "create_index": 1, "create_primary_key": 1,
    "create_project_table": 0, "create_table": 0, "create_table_comment": 0, "create_unique_constraint": 1,
    "drop_column": 0, "drop_constraint": 1, "drop_index": 0, "drop_table": 0, "guard_project_table": 0,
    "rename_table": 0,
}  # fmt: skip
_KEYWORDS: Final = {"new_table_name", "old_table_name", "source_table", "table_name"}
# What belongs to the whole database, or to all databases of a server.
_OTHERS: Final = re.compile(
    r"\b(?:CREATE|ALTER|DROP)\s+(?P<kind>EXTENSION|ROLE|USER|GROUP|DATABASE|SCHEMA|SYSTEM|PUBLICATION|SUBSCRIPTION"
    r"|SERVER|LANGUAGE|CAST|EVENT\s+TRIGGER|DEFAULT(?=\s+PRIVILEGES))\s+(?:IF\s+(?:NOT\s+)?EXISTS\s+)?(?P<name>[^\s;]{1,80})",
    re.IGNORECASE,
)
# What lets a caller see rows of other projects: the switch, and a policy that does not compare with the wall.
_OPENED: Final = re.compile(
    r"\b(?:DISABLE|NO\s+FORCE)\s+ROW\s+LEVEL\s+SECURITY\b"
    r"|\bCREATE\s+POLICY\b(?![^;]{0,2000}(?:\bwall\.current_|\bRESTRICTIVE\b|\bTO\s+CURRENT_USER\b))",
    re.IGNORECASE,
)
_NAME: Final = r'(?:ONLY\s+)?(?:IF\s+(?:NOT\s+)?EXISTS\s+)?(?:public\.)?"?(?P<name>\w+(?:\.\w+)?)"?'
_STATEMENTS: Final = tuple(
    re.compile(rf"\b{words}\s+{_NAME}", re.IGNORECASE)
    for words in (
        r"COMMENT\s+ON\s+(?:TABLE|INDEX|VIEW|SEQUENCE|TYPE|DOMAIN|FUNCTION|SCHEMA)",
        r"(?:CREATE|ALTER|DROP)\s+(?:UNLOGGED\s+)?(?:TABLE|VIEW|MATERIALIZED\s+VIEW|SEQUENCE|TYPE|DOMAIN)",
        r"(?:CREATE(?:\s+OR\s+REPLACE)?|ALTER|DROP)\s+(?:FUNCTION|PROCEDURE)", r"TRUNCATE(?:\s+TABLE)?",
        r"INSERT\s+INTO", r"MERGE\s+INTO", r"DELETE\s+FROM", r"(?<!FOR\s)UPDATE(?=\s+\S+\s+SET\b)",
        r"(?:INDEX|POLICY|TRIGGER|RULE)\b[^;]{0,2000}?\bON", r"(?:GRANT|REVOKE)\b[^;]{0,2000}?\bON(?:\s+TABLE)?",
    )
)  # fmt: skip


def table_kind(source: Source, _package: Package) -> Iterator[Finding]:
    """Every table declares its kind, which decides its policy."""
    for node, name in _tables(source):
        if declared_kind(node) is None:
            said = f'the table {name} declares no kind: set info={{"kind": TableKind.PROJECT}} in __table_args__'
            yield source.finding("", node.lineno, said)


def project_key(source: Source, _package: Package) -> Iterator[Finding]:
    """`project_id` is part of the primary key and of foreign keys to other project tables."""
    for node, name in _tables(source):
        if declared_kind(node) != "project":
            continue
        column = next((each for each in node.body if _is_column(each, "project_id")), None)
        if column is None or "primary_key=True" not in ast.unparse(column):
            said = f"the primary key of {name} leaves out the project: add project_id with primary_key=True"
            yield source.finding("", node.lineno, said)
        for call in (each for each in ast.walk(node) if isinstance(each, ast.Call)):
            target = text_of(call.args[0]) if called_name(call) == "ForeignKey" and call.args else None
            if target is not None and target != "project.id" and not target.startswith("account."):
                said = f"the key to {target} could lead into another project: use ForeignKeyConstraint with project_id"
                yield source.finding("", call.lineno, said)
            if called_name(call) == "ForeignKeyConstraint" and "project_id" not in ast.unparse(call):
                said = "this key could lead into another project: add project_id to its columns"
                yield source.finding("", call.lineno, said)


def table_name(source: Source, package: Package) -> Iterator[Finding]:
    for node, name in _tables(source):
        if not package.owns(name):
            said = f"the table {name} has no prefix: call it {package.prefix}_{name}"
            yield source.finding("", node.lineno, said)


def policy(source: Source, package: Package) -> Iterator[Finding]:
    """A migration creates the policy of every project table."""
    guarded = {text_of(call.args[0]) for _, call in package.calls(*_GUARDS) if call.args}
    for each in package.sources:
        if _is_migration(each):
            guarded.update(name for text, _ in _texts(each) for name in _forced_by_hand(text))
    for node, name in _tables(source):
        if declared_kind(node) == "project" and name not in guarded:
            said = f"no migration creates the policy of {name}: create it with create_project_table"
            yield source.finding("", node.lineno, said)
    if _is_migration(source):
        yield from _opened(source, guarded)


def _opened(source: Source, guarded: set[str | None]) -> Iterator[Finding]:
    """What a migration opens to other projects, whatever an earlier one has guarded."""
    for call in source.nodes(ast.Call):
        name = text_of(call.args[0]) if called_name(call) == "create_table" and call.args else None
        if name is not None and name not in guarded and any(text_of(each) == "project_id" for each in _first(call)):
            said = f"no migration creates the policy of {name}: create it with create_project_table"
            yield source.finding("", call.lineno, said)
    for text, line in _texts(source):
        for found in _OPENED.finditer(text):
            said = "this opens a table to other projects: keep what guard_project_table does"
            yield source.finding("", line + text.count("\n", 0, found.start()), said)


def _first(call: ast.Call) -> Iterator[ast.expr]:
    """The names of the columns."""
    yield from (each.args[0] for each in call.args if isinstance(each, ast.Call) and each.args)


def _forced_by_hand(text: str) -> Iterator[str]:
    """The tables whose row-level security a text of SQL forces."""
    for statement in text.upper().split(";"):
        words = statement.replace('"', " ").split()
        actions = " ".join(words)
        forced = "FORCE ROW LEVEL SECURITY" in actions and "NO FORCE ROW" not in actions
        if words[:2] == ["ALTER", "TABLE"] and forced:
            yield words[2].lower()


def foreign_tables(source: Source, package: Package) -> Iterator[Finding]:
    """Migrations change tables of the feature only. `partywall migrate` rolls others back."""
    if not _is_migration(source):
        return
    for name, line in (*_operated(source), *_in_sql(source)):
        if not package.owns(name):
            said = f"this changes {name}, which is not yours: change only {package.prefix} and {package.prefix}_..."
            yield source.finding("", line, said)
    for text, line in _texts(source):
        for found in _OTHERS.finditer(text):
            said = f"this changes {found['kind']} {found['name']}, which is not yours: leave it to operators"
            yield source.finding("", line + text.count("\n", 0, found.start()), said)


def one_line(source: Source, package: Package) -> Iterator[Finding]:
    """Each migration follows one that no other follows. Of two heads, one would never be applied."""
    if not _is_migration(source):
        return
    beside = [each for each in package.sources if each.path.parent == source.path.parent]
    revisions = filter(None, (revision_in(each.path.name, each.tree) for each in beside))
    for revision, why in not_in_line(list(revisions)):
        if revision.file == source.path.name:
            yield source.finding("", revision.line, why)


def _operated(source: Source) -> Iterator[tuple[str, int]]:
    for call in source.nodes(ast.Call):
        place = _OPERATIONS.get(called_name(call))
        named = [each.value for each in call.keywords if each.arg in _KEYWORDS] if place is not None else []
        if called_name(call).upper() in {"ENUM", "DOMAIN"}:
            named = [each.value for each in call.keywords if each.arg == "name"]
        given = call.args[place : place + 1] if place is not None else []
        yield from ((name, call.lineno) for each in (*given, *named) if (name := text_of(each)) is not None)


def _in_sql(source: Source) -> Iterator[tuple[str, int]]:
    for text, line in _texts(source):
        for statement in _STATEMENTS:
            for found in statement.finditer(text):
                yield found["name"], line + text.count("\n", 0, found.start("name"))


def _texts(source: Source) -> Iterator[tuple[str, int]]:
    docs = {id(node.value) for node in source.nodes(ast.Expr)}
    for node in source.nodes(ast.Constant):
        if isinstance(node.value, str) and id(node) not in docs:
            yield node.value, node.lineno


def _tables(source: Source) -> Iterator[tuple[ast.ClassDef, str]]:
    for node in source.nodes(ast.ClassDef):
        if (name := tablename(node)) is not None:
            yield node, name


def _is_column(node: ast.stmt, name: str) -> bool:
    return isinstance(node, ast.AnnAssign) and isinstance(node.target, ast.Name) and node.target.id == name


def _is_migration(source: Source) -> bool:
    return MIGRATIONS in source.path.parts[:-1]
