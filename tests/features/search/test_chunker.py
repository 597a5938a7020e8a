from __future__ import annotations

from hypothesis import strategies as st

from partywall.features.search.chunker import MAX_CHARACTERS, Chunk, chunk_text
from tests.properties import given, settings

PIECES = [
    "word ",
    "Word. ",
    "# Heading\n",
    "\n\n",
    "\n",
    "```\n",
    "~~~~\n",
    "===\n",
    "   ",
    "漢字。",
    "é\u0301",
    "ä" * 900,
]


def texts(content: str) -> list[str]:
    return [chunk.text for chunk in chunk_text(content)]


@given(st.lists(st.sampled_from(PIECES), max_size=120).map("".join) | st.text(max_size=6000))
@settings(max_examples=300, deadline=None)
def test_nothing_but_white_space_is_left_out(content: str) -> None:
    chunks = chunk_text(content)
    end = 0
    for chunk in chunks:
        assert chunk.start >= end
        assert chunk.text == content[chunk.start : chunk.end]
        assert len(chunk.text) <= MAX_CHARACTERS
        assert not content[end : chunk.start].strip()
        end = chunk.end
    assert not content[end:].strip()
    assert all(text == text.strip() and text for text in texts(content)) or chunks == [Chunk(0, 0, "")]


MARKS = ["&amp;" * 900, "[a](b)" * 400, "*a* " * 600, "| a | b |\n|-|-|\n" + "| c | d |\n" * 300, "<b>", "# A *b*\n\n",
         "a" * 2399, "&NotEqualTilde;", "> ", "\n\n", "---\na: b\n---\n"]  # fmt: skip


@given(st.lists(st.sampled_from(MARKS), max_size=12).map("".join))
@settings(max_examples=100, deadline=None)
def test_passages_of_markdown_have_places_of_their_own(content: str) -> None:
    chunks = chunk_text(content, "text/markdown")
    places = [place for chunk in chunks for place in (chunk.start, chunk.end)]
    assert places == sorted(places)
    assert len({chunk.start for chunk in chunks}) == len(chunks)
    assert all(len(chunk.text) <= MAX_CHARACTERS for chunk in chunks)


def test_the_section_of_a_passage_is_the_heading_above_it() -> None:
    filler = "Some words here. " * 100
    one = f"# [One](a) `b`\n\n{filler}\n\n```\n# c\n```\n\n"
    content = f"---\ntitle: x\n---\n{filler}\n\n{one}Two\n===\n\nShort.\n\n## Three\n"
    chunks = chunk_text(content, "text/markdown")
    assert [chunk.section for chunk in chunks] == ["", "One b", "Two"]
    assert [chunk.text.split("\n")[0][:5] for chunk in chunks] == ["Some ", "One b", "Two"]
    assert [content[chunk.start :][:7] for chunk in chunks] == ["Some wo", "# [One]", "Two\n==="]


def test_a_short_text_is_one_chunk_without_its_margins() -> None:
    assert chunk_text("  \n A short text.\n") == [Chunk(4, 17, "A short text.")]


def test_content_without_text_still_has_a_chunk() -> None:
    assert chunk_text("") == chunk_text(" \n\t") == [Chunk(0, 0, "")]


def test_sections_stay_apart_and_short_ones_join() -> None:
    long = "A sentence about something. " * 40
    found = texts(f"# One\n\n{long}\n\n# Two\n\n{long}\n\n## Three\n\nShort.\n\n## Four\n\nShort too.\n")
    assert [text.split("\n")[0] for text in found] == ["# One", "# Two", "## Three"]
    assert found[2].endswith("Short too.")


def test_a_long_section_is_cut_in_even_parts_at_sentences() -> None:
    content = "# Title\n\n" + "This is a sentence of some length. " * 150
    chunks = chunk_text(content)
    lengths = [chunk.end - chunk.start for chunk in chunks]
    assert len(chunks) == 3
    assert max(lengths) - min(lengths) < 100
    assert all(text.endswith(".") for text in texts(content))
    assert [chunk.section for chunk in chunks] == ["Title"] * 3


def test_paragraphs_go_before_sentences() -> None:
    paragraph = "One sentence. Another one. " * 45
    assert [text.count("\n\n") for text in texts(f"{paragraph}\n\n{paragraph}\n\n{paragraph}")] == [0, 0, 0]


def test_abbreviations_do_not_end_a_sentence() -> None:
    content = "Use approx. five of them, i.e. some more, and go on with it " * 60
    assert all(text.endswith("it") or not text.endswith(".") for text in texts(content))


def test_chinese_sentences_end_without_a_space() -> None:
    assert all(text.endswith("。") for text in texts("这是一个句子。" * 800))


def test_a_heading_in_code_is_no_heading() -> None:
    filler = "text " * 300
    content = f"# Real\n\n{filler}\n\n```sh\n# a comment\n```\n\n{filler}\n"
    assert {chunk.section for chunk in chunk_text(content)} == {"Real"}


def test_an_underlined_line_is_a_heading() -> None:
    filler = "A sentence. " * 100
    found = texts(f"First\n=====\n\n{filler}\n\nSecond\n------\n\n{filler}")
    assert [text.split("\n")[0] for text in found] == ["First", "Second"]


def test_a_rule_under_nothing_is_no_heading() -> None:
    assert len(texts("Some text.\n\n---\n\nMore text.")) == 1
