# ruff: noqa: RUF001 - the texts here test typographic characters
from __future__ import annotations

from partywall.features.search.highlights import MOST, Highlighter, Span
from partywall.features.search.terms import QueryWords


def marked(query: str, text: str) -> list[str]:
    return [text[span.start : span.end] for span in spans(query, text)]


def spans(query: str, text: str) -> list[Span]:
    """Without stems: words match themselves."""
    asked = QueryWords.of(query, ["simple"]).words
    highlighter = Highlighter.of(asked)
    highlighter.add("simple", text)
    highlighter.mark(set(asked.numbers.values()))
    return highlighter.spans(0)


def test_offsets_are_in_characters() -> None:
    assert spans("cats", "żółć 🎉 cats") == [Span(7, 11)]


def test_tokens_are_marked_in_every_form() -> None:
    text = "Zażółć E-4021, docs/E4021.txt: Con\ufb01rmed ＥＲＲＯＲ and E-4022"
    assert marked("e4021", text) == ["E-4021", "E4021"]
    assert marked("4021", text) == ["4021", "4021"]
    assert marked("zazolc confirmed error", text) == ["Zażółć", "Con\ufb01rmed", "ＥＲＲＯＲ"]


def test_adjacent_pairs_of_characters_are_one_span() -> None:
    assert marked("申请退款", "如何申请退款？退款单") == ["申请退款", "退款"]


def test_the_spans_are_not_without_end() -> None:
    """A text may contain the query word a thousand times."""
    assert spans("a", "a " * 1_200) == [Span(2 * n, 2 * n + 1) for n in range(MOST)]
