# ruff: noqa: RUF001 - the texts here test typographic characters
from __future__ import annotations

import pytest

from partywall.features.search import highlights
from partywall.features.search.highlights import MOST, MOST_SPLIT, Highlighter, Span
from partywall.features.search.terms import QueryWords
from partywall.features.search.tokens import Form, forms


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
    assert marked("1250000 300", "1'250'000 and 2,300,400") == ["1'250'000", "300"]
    assert marked("zazolc confirmed error", text) == ["Zażółć", "Con\ufb01rmed", "ＥＲＲＯＲ"]


def test_adjacent_pairs_of_characters_are_one_span() -> None:
    assert marked("申请退款", "如何申请退款？退款单") == ["申请退款", "退款"]


def test_the_spans_are_not_without_end() -> None:
    """A text may contain the query word a thousand times."""
    assert spans("a", "a " * 1_200) == [Span(2 * n, 2 * n + 1) for n in range(MOST)]


def test_words_are_compared_without_accents_and_umlauts() -> None:
    text = "Straße, ÜBERWEISUNG, Уборка, Äpfel, Öl"
    assert marked("strasse überweisung уборка apfel", text) == text.split(", ")[:4]


def looked_up(query: str, configuration: str, text: str) -> set[str]:
    """The words of a text that are compared with those of the query."""
    highlighter = Highlighter.of(QueryWords.of(query, [configuration]).words)
    highlighter.add(configuration, text)
    return {word for _, word in highlighter.words.numbers}


def test_only_words_that_may_match_are_compared() -> None:
    words = looked_up("подписать ueberweisen", "german", "подписка договор Überweisung Wohnung")
    assert {"подписка", "überweisung"} <= words
    assert words.isdisjoint({"договор", "wohnung"})


@pytest.mark.parametrize(
    ("query", "texts"),
    [
        ("e1 e2", [" ".join(f"e-{number}" for number in range(start, start + 400)) for start in range(0, 40_000, 400)]),
        ("1.2", [" ".join(f"{number}.2.1" for number in range(start, start + 300)) for start in range(0, 30_000, 300)]),
        ("漢字", ["漢字か\u3099" + "".join(map(chr, range(0x4E00 + n, 0x4E00 + n + 2_300))) for n in range(100)]),
    ],
    ids=["codes", "versions", "marks"],
)
def test_the_forms_of_one_answer_are_not_without_end(
    query: str, texts: list[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    """The best texts come first; those for which nothing is left keep the words that are known already."""
    split = list[str]()

    def counted(token: str) -> list[Form]:
        split.append(token)
        return forms(token)

    highlighter = Highlighter.of(asked := QueryWords.of(query, ["simple"]).words)
    monkeypatch.setattr(highlights, "forms", counted)
    highlighter.add("simple", "如何申请 E-4021")  # has none of the words
    assert split == []
    for text in [*texts, texts[0]]:
        highlighter.add("simple", text)
    highlighter.mark(set(asked.numbers.values()))
    assert MOST_SPLIT / 2 < sum(map(len, split)) <= MOST_SPLIT
    assert highlighter.spans(1) == highlighter.spans(len(texts) + 1) != []


def test_ideographs_are_found_without_splitting_and_not_without_end(monkeypatch: pytest.MonkeyPatch) -> None:
    """Only those that are found count; none is looked for after too many."""
    monkeypatch.setattr(highlights, "forms", None)
    others = "".join(map(chr, range(0x4E00, 0x4E00 + 2_300)))
    rare = Highlighter.of(asked := QueryWords.of("漢字", ["simple"]).words)
    for number in range(100):
        rare.add("simple", f"{others}漢字{chr(0x6E00 + number)}")
    rare.mark(set(asked.numbers.values()))
    assert [rare.spans(number) for number in range(100)] == [[Span(2_300, 2_302)]] * 100
    frequent = Highlighter.of(asked := QueryWords.of("中中", ["simple"]).words)
    for number in range(100):
        frequent.add("simple", "中" * 2_300 + chr(0x6E00 + number))
    frequent.mark(set(asked.numbers.values()))
    found = [len(frequent.spans(number)) for number in range(100)]
    assert found == [1] * (MOST_SPLIT // 2_299) + [0] * (100 - MOST_SPLIT // 2_299)
