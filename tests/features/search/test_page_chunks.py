from __future__ import annotations

import pytest
from hypothesis import strategies as st

from partywall.features.search.chunker import MAX_CHARACTERS, Chunk, chunk_text
from partywall.features.search.page_chunks import Place, chunk_document, place_of
from partywall.formats.file_kinds import MEDIA_TYPES
from tests.properties import given, settings

PDF, SLIDES, SHEETS = MEDIA_TYPES[".pdf"], MEDIA_TYPES[".pptx"], MEDIA_TYPES[".ods"]
TERMS = "# Contract\n\nBetween two.\n\n## Payment terms\n\nWithin ten days,"
CONTENT = f"{TERMS}\n\f\nor at once.\n\f\n\f\n## Notice\n\nSix weeks."
PIECES = ["\f", "\n\f\n", "Some words. ", "# Heading\n", "```\n", "\n\n", "ä" * 900]


def found(content: str, media_type: str) -> list[tuple[str, int | None, str]]:
    return [(each.text, each.page, each.section) for each in chunk_document(content, media_type)]


@given(st.lists(st.sampled_from(PIECES), max_size=60).map("".join), st.sampled_from([PDF, SLIDES]))
@settings(max_examples=150, deadline=None)
def test_no_passage_crosses_a_page(content: str, media_type: str) -> None:
    end = 0
    for chunk in (chunks := chunk_document(content, media_type)):
        assert chunk.start >= end
        assert "\f" not in content[chunk.start : chunk.end]
        assert chunk == Chunk(0, 0, "") or chunk.page == content.count("\f", 0, chunk.start) + 1
        assert len(chunk.text) <= MAX_CHARACTERS
        end = chunk.end
    assert content.count("words") == sum(chunk.text.count("words") for chunk in chunks)


def test_a_section_of_a_pdf_goes_on_over_its_pages() -> None:
    assert found(CONTENT, PDF) == [
        ("Contract\n\nBetween two.\n\nPayment terms\n\nWithin ten days,", 1, "Contract"),
        ("or at once.", 2, "Payment terms"), ("Notice\n\nSix weeks.", 4, "Notice"),
    ]  # fmt: skip


@pytest.mark.parametrize("media_type", [SLIDES, SHEETS])
def test_a_slide_or_sheet_without_a_heading_is_in_no_section(media_type: str) -> None:
    assert [(page, section) for _, page, section in found(CONTENT, media_type)] == [
        (1, "Contract"), (2, ""), (4, "Notice"),
    ]  # fmt: skip
    assert chunk_document("\f\n\f", media_type) == [Chunk(0, 0, "")]


@pytest.mark.parametrize("media_type", ["text/plain", "text/markdown", MEDIA_TYPES[".docx"], MEDIA_TYPES[".zip"]])
def test_a_form_feed_in_another_text_makes_no_page(media_type: str) -> None:
    assert chunk_document(CONTENT, media_type) == chunk_text(CONTENT, media_type)
    assert {chunk.page for chunk in chunk_text(CONTENT, media_type)} == {None}


@pytest.mark.parametrize(
    ("media_type", "text", "place"),
    [
        (PDF, "Between", Place(1, "Contract")),
        (PDF, "## Payment", Place(1, "Payment terms")),
        (PDF, "or at once", Place(2, "Payment terms")),
        (PDF, "Six", Place(4, "Notice")),
        (SLIDES, "or at once", Place(2, None)),
        (SLIDES, "Within", Place(1, "Payment terms")),
        ("text/markdown", "or at once", Place(None, "Payment terms")),
        ("text/markdown", "# Contract", Place(None, "Contract")),
    ],
)
def test_the_place_of_a_quote(media_type: str, text: str, place: Place) -> None:
    assert place_of(CONTENT, media_type, CONTENT.index(text)) == place


def test_a_heading_far_above_is_not_looked_for() -> None:
    assert place_of("# Far\n" + "\f\n" * 300_000 + "x", PDF, 600_006) == Place(300_001, None)
    assert place_of("# Far\n" + "text\n" * 100_000, "text/plain", 500_000) == Place(None, None)
