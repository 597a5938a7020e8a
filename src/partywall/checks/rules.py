"""The rules of `partywall check`, by id. Ids are stable: a rule that goes leaves its id unused."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Final

from partywall.checks import (
    declarations,
    generic_writes,
    package_imports,
    package_routes,
    package_tables,
    queries,
    scope,
    sql_text,
    state,
    transactions,
)
from partywall.checks.package import Package
from partywall.checks.runner import run
from partywall.checks.source import Codebase, Finding, Lint, Source

type SourceRule = Callable[[Source, Package], Iterable[Finding]]
type ProjectRule = Callable[[Package], Iterable[Finding]]

_EXPLANATIONS: Final = Path(__file__).with_name("explanations")

PROJECT_RULES: Final[Mapping[str, ProjectRule]] = {
    "PW001": declarations.entry_point,
    "PW002": declarations.feature_name,
}
SOURCE_RULES: Final[Mapping[str, SourceRule]] = {
    "PW003": declarations.references,
    "PW004": declarations.names,
    "PW005": declarations.undeclared_events,
    "PW006": package_imports.api_import,
    "PW007": package_imports.dependency,
    "PW008": package_imports.web_framework,
    "PW009": package_tables.table_name,
    "PW010": package_tables.table_kind,
    "PW011": package_tables.project_key,
    "PW012": package_tables.foreign_tables,
    "PW013": package_tables.policy,
    "PW014": package_routes.principal,
    "PW015": queries.project_filter,
    "PW016": scope.repository_takes_scope,
    "PW017": sql_text.composed_sql,
    "PW018": generic_writes.generic_write,
    "PW019": transactions.commit_or_rollback,
    "PW020": state.module_state,
    "PW021": state.untracked_task,
    "PW022": declarations.twice,
    "PW023": package_tables.one_line,
}
IDS: Final = (*PROJECT_RULES, *SOURCE_RULES)


@dataclass(frozen=True)
class _Bound:
    """A rule as the runner calls it."""

    rule: str
    lint: SourceRule
    package: Package

    def __call__(self, source: Source, _: Codebase) -> Iterator[Finding]:
        yield from (replace(finding, rule=self.rule) for finding in self.lint(source, self.package))


def check_package(package: Package) -> list[Finding]:
    """What breaks a rule, by file and line. `# lint: allow PW012 - reason` allows it on its line or the next."""
    lints: dict[str, Lint] = {rule: _Bound(rule, lint, package) for rule, lint in SOURCE_RULES.items()}
    declared = (replace(finding, rule=rule) for rule, check in PROJECT_RULES.items() for finding in check(package))
    return sorted([*declared, *run(package, lints)])


def explanation(rule: str) -> str:
    """The rule, why it exists, a bad and a good example, as Markdown."""
    return (_EXPLANATIONS / f"{rule}.md").read_text()
