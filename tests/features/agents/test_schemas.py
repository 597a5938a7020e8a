from __future__ import annotations

import pytest

from partywall.features.agents.schemas import AgentInput
from tests.validation_errors import refused


class Question(AgentInput):
    question: str


@pytest.mark.parametrize(
    ("given", "refusal"),
    [
        ({"question": "When?", "colour": "red"}, {"colour": "extra_forbidden"}),
        ({"question": "\x00"}, {"": "nul_byte"}),
        ({"question": "\ud800"}, {"": "lone_surrogate"}),
    ],
)
def test_an_input_has_only_its_own_fields_and_storable_text(given: object, refusal: dict[str, str]) -> None:
    assert refused(Question, given) == refusal


def test_an_input_names_no_documents_and_is_cheap_unless_it_says_so() -> None:
    given = Question(question="When?")
    assert (given.documents(), given.is_costly) == ({}, False)
