"""PDF: headings, lines that repeat on pages, and how their letters are written."""

from __future__ import annotations

import pytest

from partywall.features.documents.readers.file_text import Reason
from tests.features.documents.made_files import pdf
from tests.features.documents.read_files import read, refusal


def test_pdf_has_headings_and_pages_and_no_repeated_lines() -> None:
    words = ["one", "two", "three", "four"]
    pages = [
        [(9, f"Report {n} of 4"), (20, f"Part {n}"), (10, f"{word} begins"), (10, f"and {word} ends.")]
        for n, word in enumerate(words, start=1)
    ]
    found = read("a.pdf", pdf(*pages, title="Annual report"))
    assert (found.title, found.language) == ("Annual report", "en-GB")
    texts = [f"# Part {n}\n\n{word} begins\nand {word} ends." for n, word in enumerate(words, start=1)]
    assert found.text == "Report 1 of 4\n\n" + "\n\f\n".join(texts)
    assert read("a.pdf", pdf(*pages, title="Microsoft Word - x.doc")).title == "Part 1"
    assert refusal("a.pdf", pdf([])) is Reason.NO_TEXT


def test_page_headers_that_change_by_chapter_are_read_once_each() -> None:
    chapters = ["Basic ideas"] * 4 + ["Proofs"] * 3 + ["Tables", "Index of names"]
    space = (30, "")
    words = ["apple", "beech", "cedar", "date", "elm", "fir", "gum", "hazel", "ivy"]
    pages = [
        [(9, f"{chapter}  {n}"), space, (10, f"{word} begins"), (10, f"{word} ends"), space, (9, "All rights reserved")]
        for n, (chapter, word) in enumerate(zip(chapters, words, strict=True), start=41)
    ]
    text = read("a.pdf", pdf(*pages)).text
    assert [text.count(f"{name} ") for name in ("Basic ideas", "Proofs", "Tables", "Index of names")] == [1, 1, 1, 1]
    assert all(f"{word} begins\n{word} ends" in text for word in words)


def test_rows_and_titles_that_repeat_on_pages_of_a_pdf_stay() -> None:
    space = (30, "")
    table = [[(10, "Item and price"), *((10, f"Part {n} costs {n * n}") for n in range(k, k + 9))] for k in range(2, 5)]
    slides = [[(24, "Agenda of today"), space, (10, f"point {word}"), (10, "more")] for word in ("one", "two", "six")]
    counted = [[(10, f"Invoice {n * 7}"), space, (10, f"for {n * 3} parts"), (10, "paid")] for n in (3, 5, 6)]
    others = [[(10, f"words {word}"), (10, f"and {word}")] for word in ("fir", "elm", "oak", "ash", "yew", "box")]
    text = read("a.pdf", pdf(*table, *slides, *counted, *others)).text
    found = [text.count(part) for part in ("Item and price", "Part ", "Agenda of today", "Invoice ")]
    assert found == [3, 27, 3, 3]


@pytest.mark.parametrize("gaps", [(0, 0), (10, 10), (30, 30), (0, 30)])
def test_pages_of_the_same_layout_keep_their_text(gaps: tuple[int, int]) -> None:
    """Numbers that count with the pages are text if the lines do not stand apart from it."""
    forms = [
        ["Invoice", f"Customer number 100{n}", "Payment due within 14 days", f"Total {n}00 EUR", f"Signed by clerk {n}"]
        for n in range(1, 9)
    ]
    drawn = [[part for at, line in enumerate(form) for part in ((10, line), (gaps[at % 2], ""))] for form in forms]
    assert read("a.pdf", pdf(*drawn)).text.split() == " ".join(" ".join(form) for form in forms).split()


def test_numbers_at_the_edge_of_pages_stay_unless_they_count_with_the_pages() -> None:
    space = (30, "")
    pages = [
        [
            (10, f"Paid {n * n}"),
            space,
            (10, f"{n} and"),
            (10, "some"),
            (10, "more"),
            space,
            (10, f"Total {n * 70} EUR"),
            (10, f"{n} of 4"),
        ]
        for n in range(1, 5)
    ]
    text = read("a.pdf", pdf(*pages)).text
    assert [text.count(part) for part in ("Paid", " and", "Total", " of 4")] == [4, 4, 4, 1]


def test_a_page_with_nothing_but_its_header_keeps_it() -> None:
    pages = [[(10, "Form A"), (30, ""), (10, "Name of the person"), (30, ""), (10, f"Page {n}")] for n in range(1, 5)]
    assert all("Name of the person" in page for page in read("a.pdf", pdf(*pages)).text.split("\f"))


def test_a_page_header_in_large_type_is_no_heading_of_each_page() -> None:
    pages = [[(13, f"Register of the republic / {n}"), (20, f"Part {n}"), (10, f"Text of {n}")] for n in range(2, 6)]
    found = read("a.pdf", pdf([(20, "Register")], *pages)).text
    assert (found.count("Register of"), found.count("# Register of"), found.count("# Part")) == (1, 0, 4)


def test_the_ligature_of_lam_and_alef_in_a_pdf() -> None:
    letters = {"a": "\u0645", "b": "\u0644\u0627", "c": "\u0633", "d": "\u0644", "e": "\u0627"}
    names = "".join(f"<{ord(key):x}> <{said.encode('utf-16-be').hex()}>\n" for key, said in letters.items())
    cmap = (
        "/CIDInit /ProcSet findresource begin 12 dict begin begincmap 1 begincodespacerange <00> <ff>"
        f" endcodespacerange {len(letters)} beginbfchar\n{names}endbfchar endcmap end end"
    )
    stream = f"6 0 obj\n<< /Length {len(cmap)} >>\nstream\n{cmap}\nendstream\nendobj\nxref\n".encode()
    font = b"/BaseFont /Helvetica"
    drawn = pdf([(10, "abc"), (10, "adec")]).replace(font, font + b" /ToUnicode 6 0 R").replace(b"xref\n", stream, 1)
    assert read("a.pdf", drawn).text == "\u0633\u0644\u0627\u0645\n\u0633\u0627\u0644\u0645"


def test_vertical_text_in_a_font_of_the_system() -> None:
    font = b"/Subtype /Type1 /BaseFont /Helvetica"
    vertical = (
        b"/Subtype /Type0 /BaseFont /Ryumin /Encoding /UniJIS-UCS2-V /DescendantFonts [<< /Type /Font /BaseFont /Ryumin"
        b" /Subtype /CIDFontType0 /CIDSystemInfo << /Registry (Adobe) /Ordering (Japan1) /Supplement 2 >> >>]"
    )
    drawn = pdf([(10, "N\\000e\\347g,")]).replace(font, vertical)
    assert read("a.pdf", drawn).text == "\u4e00\u65e7\u672c"
