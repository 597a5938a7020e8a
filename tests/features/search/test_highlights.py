from __future__ import annotations

from hypothesis import strategies as st

from partywall.features.search.highlights import CLOSE, MOST, OPEN, Span, spans
from tests.properties import given


@given(st.lists(st.tuples(st.text(max_size=8), st.booleans()), max_size=20))
def test_the_spans_are_what_was_marked(pieces: list[tuple[str, bool]]) -> None:
    clean = [(piece.replace(OPEN, "").replace(CLOSE, ""), marked) for piece, marked in pieces]
    text = "".join(piece for piece, _ in clean)
    marked = "".join(f"{OPEN}{piece}{CLOSE}" if is_marked else piece for piece, is_marked in clean)
    assert [text[span.start : span.end] for span in spans(marked, text)] == [piece for piece, yes in clean if yes]


def test_offsets_are_in_characters() -> None:
    assert spans(f"żółć 🎉 {OPEN}cats{CLOSE}", "żółć 🎉 cats") == [Span(7, 11)]


def test_text_that_carries_the_marks_itself_has_no_highlights() -> None:
    assert spans(f"a {OPEN}b{CLOSE}", f"a {OPEN}b{CLOSE}") == []


def test_another_text_has_no_highlights() -> None:
    assert spans(f"{OPEN}a{CLOSE} b", "c") == []


def test_the_spans_are_not_without_end() -> None:
    """A text may contain the query word a thousand times."""
    found = spans(f"{OPEN}a{CLOSE} " * 1_200, "a " * 1_200)
    assert found == [Span(2 * n, 2 * n + 1) for n in range(MOST)]
