"""Org files are read as a person reads their export."""

from __future__ import annotations

import pytest

from partywall.features.search.chunker import chunk_text
from tests.features.documents.read_files import read


def text_of(source: str) -> str:
    return read("a.org", source.encode()).text


def test_title_metadata_and_sections() -> None:
    source = (
        "#+TITLE: The /guide/\n#+AUTHOR: Ann\n#+DATE: <2024-05-01 Wed 10:00>\n#+LANGUAGE: de\n#+FILETAGS: :a:b:\n"
        "#+OPTIONS: toc:nil\n"
        "* TODO [#A] One [1/2] :x:y:\n:PROPERTIES:\n:ID: 7\n:END:\nSCHEDULED: <2024-05-01>\n"
        f"{'Text. ' * 200}\n** Two\n{'More. ' * 200}\n* COMMENT Hidden\n** Hidden too\n* DONE\n"
    )
    found = read("a.org", source.encode())
    assert (found.title, found.language) == ("The guide", "de")
    assert found.metadata == {"author": "Ann", "date": "2024-05-01", "tags": ["a", "b"], "language": "de"}
    assert [line for line in found.text.split("\n") if line.startswith("#")] == ["# The guide", "## One", "### Two"]
    chunks = chunk_text(found.text, "text/x-org")
    assert [chunk.section for chunk in chunks] == ["The guide", "One", "Two"]
    assert all(mark not in chunk.text for chunk in chunks for mark in ("ID", "SCHEDULED", "Hidden", "toc", "#"))


def test_the_first_headline_is_the_title_of_a_file_that_has_none() -> None:
    assert read("a.org", b"Text\n* One :tag:\n* Two").title == "One"


def test_only_defined_states_are_left_out() -> None:
    assert (
        text_of("* HOLD music\n* TODO One\n* NEXT steps\n* DONE Two")
        == "# HOLD music\n\n# One\n\n# NEXT steps\n\n# Two"
    )
    own = "* WAIT(er)\n* WAIT One\n* TODO Two\n#+SEQ_TODO: WAIT(w@) | ENDED(e)\n#+todo: ASK\n* ENDED Three\n* ASK Four"
    assert text_of(own) == "# WAIT(er)\n\n# One\n\n# TODO Two\n\n# Three\n\n# Four"


@pytest.mark.parametrize(
    ("source", "seen"),
    [
        ("*a* /b/ _c_ +d+ =*e*= ~f~ */g/*", "a b c d *e* f g"),
        ("[[https://a.example][A *link*]] [[https://b.example]] [[file:c.org]]", "A link https://b.example c.org"),
        ("[[./a.png]] text[fn:1] and[fn:: a note]", "text and a note"),
        ("<<place>>x <<<y>>> {{{macro(a)}}}z @@html:<b>@@ \\alpha{} H_{2}O", "x y az \u03b1 H2O"),
        ("See https://a.example/ for /more/ *https://b.example/_c_*", "See https://a.example/ for more https://b.example/_c_"),
        ("<https://a.example/b/ c> <2026-01-02> mailto:a/b/", "https://a.example/b/ c <2026-01-02> mailto:a/b/"),
        ("Press {{{kbd(C-c\\, *C-c*)}}} ={{{x}}}=", "Press C-c, C-c {{{x}}}"),
        ("#+MACRO: p Party *$2* $1\n{{{P(a,b)}}} {{{q}}}\n#+macro: q {{{p(c)}}}", "Party b a c"),
        ("a * b, 2*x*y, a/b/c, snake_case_name, ~/.emacs", "a * b, 2*x*y, a/b/c, snake_case_name, ~/.emacs"),
        ("# comment\n#\n#+begin_comment\nx\n#+end_comment\n#+begin_export html\n<b>\n#+end_export\nA\n-----", "A"),
        ("[fn:1] A note.", "A note."),
        ("[[https://a.example/\nb][A\nlink]] [[*One\ntwo]]", "A\nlink One\ntwo"),
        ("src_sh[:exports code]{ls *a*} call_f(1)", "ls *a* call_f(1)"),
        ("[cite/t:see @Doe2020 p. 3;@Roe]", "(see Doe2020 p. 3;Roe)"),
    ],
)  # fmt: skip
def test_marks_inside_a_paragraph(source: str, seen: str) -> None:
    assert text_of(source) == seen


@pytest.mark.parametrize(
    ("source", "seen"),
    [
        ("- [X] a\n  b\n  + c\n  + d :: e\n1. [@1] f\n\nEnd", "- a b\n  - c\n  - d: e\n1. f\n\nEnd"),
        ("| A | B |\n|---+---|\n| <l> | |\n| 1 | *x* |\n#+TBLFM: $1=2", "| A | B |\n| --- | --- |\n| 1 | x |"),
        ("#+BEGIN_SRC python :results x\n  f(*a*)\n    ,* b\n#+END_SRC", "```python\nf(*a*)\n  * b\n```"),
        ("#+begin_quote\nA *saying*.\n#+end_quote", "A saying."),
        (": f\n:  g\nText", "```\nf\n g\n```\n\nText"),
        ("#+CAPTION: The plan\n[[file:a.png]]", "The plan"),
        (":notes:\nStays\n:END:", "Stays"),
        ("#+begin_src\nnever closed\n\n* One", "never closed\n\n# One"),
        ("- a ::\n  b\n- c ::\n\n  d", "- a: b\n- c\n\nd"),
        ("* One :a:noexport:\nx\n** y\n* Two :ARCHIVE:\nz\n* Three", "# Two\n\n# Three"),
        ("#+EXCLUDE_TAGS: a\n* One :a:\n* Two :noexport:", "# Two"),
        ("#+begin_comment\nnever closed", "never closed"),
        ("* One\n:PROPERTIES:\nnever closed\n* Two", "# One\n\nnever closed\n\n# Two"),
    ],
)
def test_blocks(source: str, seen: str) -> None:
    assert text_of(source) == seen


@pytest.mark.parametrize(
    "source",
    [
        "* a\n" * 100_000,
        "*" * 50_000 + " a",
        "".join(" " * depth + "- a\n" for depth in range(1_000)),
        "#+begin_src\na\n" * 1_000 + ":PROPERTIES:\n" * 1_000,
        "a *a " * 1_000 + "[[a" * 1_000 + "=~/a" * 1_000,
        "| a " * 5_000 + "\n" + "| a\n" * 5_000,
    ],
)
def test_deep_and_unclosed_markup_is_read(source: str) -> None:
    assert "a" in text_of(source)
