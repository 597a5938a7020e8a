from __future__ import annotations

from decimal import Decimal

import pytest

from partywall.features.agents.schemas import BudgetUpdate, DollarAmount, RunDecision, RunStart, RunStatus
from tests.validation_errors import refused


@pytest.mark.parametrize("name", ["", "Answer", "1st", "a-b", "a" * 64, "answer\n", "../answer"])
def test_what_is_no_name_of_an_agent_is_refused(name: str) -> None:
    assert refused(RunStart, {"agent": name, "input": {}}) == {"agent": "string_pattern_mismatch"}


@pytest.mark.parametrize(
    ("given", "kind"),
    [
        ({"a": {"b": "\x00"}}, "nul_byte"),
        ({"a": ["\ud800"]}, "lone_surrogate"),
        ({"a": float("inf")}, "not_finite"),
        ({"a": 10**30}, "long_number"),
        ({"a": 1e-21}, "long_number"),
    ],
)
def test_an_input_that_could_not_be_stored_is_refused(given: object, kind: str) -> None:
    assert refused(RunStart, {"agent": "answer", "input": given}) == {"": kind}


@pytest.mark.parametrize("approve", ["true", 1, 0, None])
def test_a_decision_is_yes_or_no(approve: object) -> None:
    assert refused(RunDecision, {"pending_id": "p", "approve": approve}) == {"approve": "bool_type"}


@pytest.mark.parametrize(
    ("written", "amount"),
    [("25.00", "25.00"), ("0", "0"), ("1000000000.000000", "1000000000"), (0.1, "0.1"), (-0.0, "0"), (1e-7, "0")],
)
def test_an_amount_is_exact(written: object, amount: str) -> None:
    assert DollarAmount.model_validate({"amount": written}).amount == Decimal(amount)


@pytest.mark.parametrize(
    "written", ["", "-1", "1.0000001", "1e3", "1000000000.1", "\u0661", " 1", "1\n", -0.01, 1e9 + 1, True]
)
def test_what_is_no_amount_is_refused(written: object) -> None:
    assert refused(DollarAmount, {"amount": written}) == {"amount": "not_an_amount"}


@pytest.mark.parametrize(("written", "kind"), [(-1, "greater_than_equal"), (1.5, "int_type"), ("5", "int_type")])
def test_a_budget_counts_whole_things(written: object, kind: str) -> None:
    assert refused(BudgetUpdate, {"tokens": written}) == {"tokens": kind}


def test_a_whole_number_may_be_written_with_a_fraction_of_nothing() -> None:
    assert BudgetUpdate.model_validate({"tokens": 5.0}).tokens == 5


def test_a_waiting_run_is_not_over() -> None:
    assert {status for status in RunStatus if not status.over} == {
        RunStatus.QUEUED, RunStatus.RUNNING, RunStatus.WAITING,
    }  # fmt: skip
