from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from partywall.features.agents.catalogue.citing import Text, marks, unmarked

WORDS = st.lists(st.text("abc.", min_size=1, max_size=4), min_size=1, max_size=12)
BLANKS = st.sampled_from([" ", "  ", "\n", "\t ", "\u00a0", "\r\n\r\n"])


@given(before=WORDS, quoted=WORDS, after=WORDS, data=st.data())
def test_a_quote_is_found_whatever_its_blanks(
    before: list[str], quoted: list[str], after: list[str], data: st.DataObject
) -> None:
    text = "".join(word + data.draw(BLANKS) for word in [*before, *quoted, *after])
    span = Text(text).find(" ".join(quoted))
    assert span is not None
    assert " ".join(text[span.start : span.end].split()) == " ".join(quoted)


def test_what_is_not_there_is_not_found() -> None:
    text = Text("One two three.")
    assert text.find("one two") is None
    assert text.find("One three") is None
    assert text.find("   ") is None
    assert text.find("two") == (4, 7)


def test_looking_for_a_quote_takes_time_in_proportion_to_the_text() -> None:
    """A walk that starts again at each word would take hours here."""
    assert Text("a\n" * 1_000_000).find("a " * 499 + "b") is None


def test_marks_are_numbers_in_brackets() -> None:
    assert marks("One [1], two [2][3], four [4, 5]. Not [a], [], [1a] or 6.") == {1, 2, 3, 4, 5}


SUPPORTED = [
    "It delivers within ten days [1].",
    "It delivers within ten days. [1]",
    "It delivers within ten days.[1] It costs 2.5 % a week [2].",
    "Yes. It delivers within ten days [1].",
    "According to Dr. Smith it delivers, e.g. in May, within ten days [1].",
    "# Delivery\n\nThe terms are these:\n- within ten days [1]\n- late ones cost money [2]",
    "\u4f9b\u5e94\u5546\u5728\u5341\u5929\u5185\u4ea4\u8d27\u5e76\u4e14\u4e0d\u6536\u53d6\u8d39\u7528\u3002[1]",
    'He says "it is never late!" [1] She says it always is [2].',
]


@pytest.mark.parametrize("answer", SUPPORTED)
def test_a_supported_answer_passes(answer: str) -> None:
    assert unmarked(answer) == []


UNSUPPORTED = {
    "It delivers within ten days.": "It delivers within ten days.",
    "It delivers within ten days [1]. It never comes late.": "It never comes late.",
    "It never comes late. It delivers within ten days [1].": "It never comes late.",
    "It delivers within ten days [1] and that is that! No exceptions are made": "No exceptions are made",
    "- within ten days [1]\n- nothing is ever charged": "- nothing is ever charged",
    "Never.": "Never.",
}


@pytest.mark.parametrize("answer", UNSUPPORTED)
def test_a_bare_claim_is_found(answer: str) -> None:
    assert unmarked(answer) == [UNSUPPORTED[answer]]


def test_splitting_takes_time_in_proportion_to_the_answer() -> None:
    assert unmarked("." * 20_000 + " [1]" * 5_000) is not None
    assert unmarked("a.b" * 6_000) != []
