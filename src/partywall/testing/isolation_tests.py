"""The tests that attack a feature: `from partywall.testing.isolation_tests import *` in a test module."""

from __future__ import annotations

from collections.abc import Sequence

import pytest

from partywall.testing.attack_fixtures import AttackedDeployment
from partywall.testing.isolation.suite import Leak, Report

__all__ = [
    "test_every_query_names_its_project",
    "test_every_route_is_attacked",
    "test_no_request_reaches_another_project",
    "test_the_database_guards_every_table",
    "test_viewers_change_nothing",
]


def test_the_database_guards_every_table(attacked_deployment: AttackedDeployment) -> None:
    """Forced row-level security, a policy for the project, and keys that include it."""
    _fail_if(attacked_deployment.unguarded)


def test_every_route_is_attacked(attacked_deployment: AttackedDeployment, attack_report: Report) -> None:
    surface = attacked_deployment.surface
    hidden = [f"{path} is not in the OpenAPI document, so nothing attacks it: show it" for path in surface.hidden]
    hint = "A body can be given in the fixture partywall_sample_bodies"
    unknown = [f"{each}\n  {hint}" for each in attack_report.unexercised]
    _fail_if([*hidden, *unknown])
    assert attack_report.exercised == {each.id for each in surface.operations}


def test_no_request_reaches_another_project(attack_report: Report) -> None:
    """Anonymous callers, expired and revoked credentials, members of another project and viewers."""
    broken = [leak for leak in attack_report.leaks if leak.broken]
    reached = [leak for leak in attack_report.leaks if not leak.broken]
    _fail_if(
        [
            *_told(reached, "lets a caller reach another project's data"),
            *_told(broken, "answers with a server error, which shows nothing of another project: correct it"),
        ]
    )


def test_every_query_names_its_project(unfiltered_report: Report, attack_report: Report) -> None:
    """With the tables' row-level security switched off."""
    open_ = {str(leak.attempt.operation) for leak in attack_report.leaks if leak.attempt}
    leaks = [each for each in unfiltered_report.leaks if not each.attempt or str(each.attempt.operation) not in open_]
    what = "forgets the project filter; the database stopped it: compare project_id with the scope's in its query"
    _fail_if(_told(leaks, what))


def test_viewers_change_nothing(
    attacked_deployment: AttackedDeployment, attack_report: Report, pytestconfig: pytest.Config
) -> None:
    reading = attacked_deployment.surface.reading
    allowed = pytestconfig.getini("partywall_viewers_may")
    _fail_if(
        [
            f"{recipe.operation} lets a viewer change something: require a right, or list it in partywall_viewers_may"
            for recipe in attack_report.recipes
            if recipe.operation.id not in reading and "viewer of the other project" in recipe.permitted
            and str(recipe.operation) not in allowed
        ]
    )  # fmt: skip


def _told(leaks: Sequence[Leak], what: str) -> list[str]:
    """One line for each operation, followed by its first leak."""
    first: dict[str, Leak] = {}
    for leak in leaks:
        first.setdefault(str(leak.attempt.operation) if leak.attempt else "an operation", leak)
    return [f"{operation} {what}\n  {leak}" for operation, leak in first.items()]


def _fail_if(lines: Sequence[str]) -> None:
    if lines:
        pytest.fail("\n".join(lines), pytrace=False)
