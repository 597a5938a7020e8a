from __future__ import annotations

from partywall.client.search import Hit, Span, excerpt


def hit(text: str, *highlights: tuple[int, int]) -> Hit:
    spans = [Span(start=start, end=end) for start, end in highlights]
    return Hit(document_id="1", title="T", text=text, start=0, end=len(text), score=1.0, highlights=spans)


def test_a_short_text_is_shown_whole() -> None:
    assert excerpt(hit("one two", (4, 7)), 100) == ("one two", [Span(start=4, end=7)])


def test_the_excerpt_shows_the_best_match() -> None:
    text = "word " * 200 + "here are the good ones " + "word " * 200
    start = text.index("here")
    shown, spans = excerpt(hit(text, (0, 4), (start, start + 4), (start + 13, start + 17)), 60)
    assert [shown[span.start : span.end] for span in spans] == ["here", "good"]
    assert len(shown) <= 80


def test_words_are_not_cut() -> None:
    text = "alpha beta gamma delta"
    shown, _ = excerpt(hit(text), 12)
    assert shown == "alpha beta"


def test_a_word_longer_than_the_excerpt_is_handled() -> None:
    shown, _ = excerpt(hit("x" * 1000, (500, 510)), 50)
    assert shown
