from __future__ import annotations

import pytest

from partywall.features.runs.schemas import RunDecision, RunStart, RunStatus
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


def test_a_waiting_run_is_not_over() -> None:
    assert {status for status in RunStatus if not status.over} == {
        RunStatus.QUEUED, RunStatus.RUNNING, RunStatus.WAITING,
    }  # fmt: skip
