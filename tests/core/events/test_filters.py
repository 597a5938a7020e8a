from __future__ import annotations

import re

import pytest

from partywall.core.events.filters import PATTERN, TypeFilter


@pytest.mark.parametrize("text", ["document.*", "document.created", "run.*,run.tool_called,member.*"])
def test_patterns_that_are_understood(text: str) -> None:
    assert re.fullmatch(PATTERN, text)


@pytest.mark.parametrize(
    "text", ["", "*", "*.*", "document", "document.", ".created", "a.b.c", "a.b,", "a.b, c.d", "A.b"]
)
def test_patterns_that_are_not(text: str) -> None:
    assert not re.fullmatch(PATTERN, text)


def test_a_group_is_a_whole_word_and_a_name_a_whole_name() -> None:
    types = TypeFilter.parse("document.*,member.added")
    admitted = {"document.created", "document.failed", "member.added"}
    refused = {"documents.created", "member.added_twice", "member.removed", "doc.x"}
    assert {type_ for type_ in admitted | refused if types.admits(type_)} == admitted
