from __future__ import annotations

import pytest
from hypothesis import strategies as st

from partywall.features.agents.builtin.citations import DocumentText, Text, claims, marks, unmarked
from tests.properties import given

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


def test_a_quote_is_found_as_a_search_shows_it() -> None:
    content = "It is **due within [ten\ndays](terms.md)**, not later."
    text = DocumentText(content, "text/markdown")
    for quote in ("due within ten days, not", "**due within [ten days](terms.md)**, not"):
        span = text.find(quote)
        assert span is not None
        assert content[span.start : span.end] == "**due within [ten\ndays](terms.md)**, not"
    assert DocumentText(content, "text/plain").find("due within ten days") is None


def test_looking_for_a_quote_takes_time_in_proportion_to_the_text() -> None:
    """A search that restarts at each word would take hours here."""
    assert Text("a\n" * 1_000_000).find("a " * 499 + "b") is None


def test_marks_are_numbers_in_brackets() -> None:
    assert marks("One [1], two [2][3], four [4, 5]. Not [a], [], [1a] or 6.") == {1, 2, 3, 4, 5}


SUPPORTED = [
    "It delivers within ten days [1].",
    "It delivers within ten days. [1]",
    "It delivers within ten days.[1] It costs 2.5 % a week [2].",
    "It delivers within ten days.[1, 2] It costs 1,000.50 EUR [2]. [3]",
    "Yes [1]. It delivers within ten days [1].",
    "According to Dr. Smith it delivers, e.g. in May, within ten days [1].",
    "It goes to Apple Inc. in the U.S. and to Meyer & Co. by 5 p.m. on Jan. 5, see No. 7 and pp. 3-5 [1].",
    "Es liefert z. B. Holz, d.h. Bretter, bzw. Latten f\u00fcr 5 Mio. Euro am 3. Mai und am 3. oder 4. Juni [1].",
    "On 2026-05-03, 03.05.2026 or 5/3/26 version 1.2.3 of README.md came from example.com [1].",
    "The terms are these:\n- within ten days [1]\n- late ones cost money [2]",
    "**The terms:**\n\n1. Delivery within ten days [1]\n2. Late ones cost money [2]. The rate is 2 % [3].",
    "1. Delivery takes ten days [1].\n2) It is free [1].\na) Always [2]",
    "\u4f9b\u5e94\u5546\u5728\u5341\u5929\u5185\u4ea4\u8d27\u5e76\u4e14\u4e0d\u6536\u53d6\u8d39\u7528\u3002[1]",
    "\u4f9b\u5e94\u5546\u5728\u5341\u5929\u5185\u4ea4\u8d27[1]\u3002\u4e0d\u6536\u8d39[2]\uff01",
    'He says "it is never late!" [1] She says it always is [2].',
    'The clause "it costs 2 %." covers delays, and "... within ten days" is meant [1].',
    'It says "the supplier \u2026 within ten days" and "the fee [...] is due" [1].',
    "Is it late? [1] Never! [1]\n\n---\n\nIt costs nothing [1].",
    "The contract [1] says ten days, the annex [2] nine.",
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
    "Yes. It delivers within ten days [1].": "Yes.",
    "The first is apple [1]. All is free.": "All is free.",
    "The first is apple [1]. Free": "Free",
    "Staff are fired. the first is apple [1].": "Staff are fired.",
    "Are staff fired? yes, and the first is apple [1].": "Are staff fired?",
    "Staff are fired... the first is apple [1].": "Staff are fired...",
    "_Staff are fired._ The first is apple [1].": "_Staff are fired._",
    "**Staff are fired.** the first is apple [1].": "**Staff are fired.**",
    '"Staff are fired." The first is apple [1].': '"Staff are fired."',
    "Staff are fired by the Inc. Apple is the first [1].": "Staff are fired by the Inc.",
    "It goes to the U.S. Apple is the first [1].": "It goes to the U.S.",
    "It ends at 5 p.m. Apple is the first [1].": "It ends at 5 p.m.",
    "It is plan B. Apple is the first [1].": "It is plan B.",
    "The answer is no. the first is apple [1].": "The answer is no.",
    "It costs 5. Apple is the first [1].": "It costs 5.",
    "\u514d\u8d39\u3002\u5341\u5929\u5185\u4ea4\u8d27[1]\u3002": "\u514d\u8d39\u3002",
    "\u0938\u092c \u092e\u0941\u092b\u093c\u094d\u0924\u0964 \u0926\u0938 \u0926\u093f\u0928 [1]\u0964": (
        "\u0938\u092c \u092e\u0941\u092b\u093c\u094d\u0924\u0964"
    ),
    "# Staff are fired\nThe first is apple [1].": "# Staff are fired",
    "Staff are fired. The terms:\n- ten days [1]": "Staff are fired.",
    "The first is apple [1].\nStaff are fired:": "Staff are fired:",
}


@pytest.mark.parametrize("answer", UNSUPPORTED)
def test_a_bare_claim_is_found(answer: str) -> None:
    assert unmarked(answer) == [UNSUPPORTED[answer]]


@pytest.mark.parametrize("answer", ["", "[1]", "[1].\n---\n[2, 3]!"])
def test_numbers_alone_claim_nothing(answer: str) -> None:
    assert claims(answer) == []


@given(
    st.lists(st.sampled_from(["Ten", " ", ".", "?!", "\u3002", "[1]", "\n", ":", "e.g.", "- ", "a", '"']), max_size=30)
)
def test_no_word_is_lost_between_the_sentences(parts: list[str]) -> None:
    """Every letter of the answer is in a sentence that is checked."""
    answer = "Ten " + "".join(parts)
    assert "".join(claims(answer)).count("Ten") == answer.count("Ten")


@pytest.mark.parametrize(
    "answer",
    [
        "." * 20_000 + " [1]" * 5_000, "." * 20_000 + "x", "!'" * 10_000 + "x", "a.b" * 6_000, "a.\t" * 6_000,
        "a:\n" * 6_000, "e. " * 6_000, "." + " " * 20_000 + "x", "[1" * 10_000, ".[1]" * 5_000 + "[1,",
    ],
)  # fmt: skip
def test_splitting_takes_time_in_proportion_to_the_answer(answer: str) -> None:
    assert claims(answer * 10) is not None
