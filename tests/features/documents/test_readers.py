"""Each kind of file becomes text: headings, tables, lists, pages and notes."""

from __future__ import annotations

import json
import subprocess
import sys

import pytest

from partywall.features.documents.readers.file_text import Reason
from partywall.features.documents.readers.layout import table
from tests.features.documents.made_files import (
    FILES,
    docx,
    odt,
    packed,
    paragraph,
    pdf,
    ppt,
    ppt_record,
    ppt_text,
    xlsx,
)
from tests.features.documents.read_files import read, refusal

STYLES = """<w:styles xmlns:w='w'><w:style w:styleId="U1"><w:name w:val="heading 1"/></w:style>
<w:style w:styleId="U2"><w:name w:val="Mein Stil"/><w:basedOn w:val="U1"/></w:style></w:styles>"""


def test_word_documents() -> None:
    cell = "<w:tc>{}</w:tc>"
    row = "<w:tr>" + cell.format(paragraph("a")) + cell.format(paragraph("b|c") + paragraph("d")) + "</w:tr>"
    listed = "<w:numPr><w:ilvl w:val='1'/></w:numPr>"
    body = (
        paragraph("&#220;berschrift", "<w:pStyle w:val='U2'/>")
        + "<w:p><w:r><w:t>One </w:t></w:r><w:del><w:r><w:delText>gone</w:delText></w:r></w:del>"
        + "<w:r><w:t>two</w:t><w:br/><w:t>three</w:t></w:r></w:p>"
        + paragraph("first", listed)
        + paragraph("second", listed)
        + f"<w:tbl>{row}{row}</w:tbl>"
    )
    note = "<w:footnotes xmlns:w='w'><w:footnote>" + paragraph("A note") + "</w:footnote></w:footnotes>"
    header = "<w:hdr xmlns:w='w'>" + paragraph("Every page") + "</w:hdr>"
    found = read("a.docx", docx(body, styles=STYLES, footnotes=note, header1=header, header2=header))
    assert found.title == "Überschrift"
    assert found.text == (
        "# Überschrift\n\nOne two\nthree\n\n  - first\n  - second\n\n| a | b\\|c d |\n| --- | --- |\n| a | b\\|c d |"
        "\n\n**Notes**\n\n- A note\n\n**Headers and footers**\n\n- Every page"
    )


def test_open_documents() -> None:
    body = (
        "<text:h text:outline-level='2'>Chapter</text:h><text:p>A<text:s/>b<text:note><text:note-citation>1"
        "</text:note-citation><text:note-body><text:p>noted</text:p></text:note-body></text:note></text:p>"
        "<text:list><text:list-item><text:p>item</text:p></text:list-item></text:list>"
        "<table:table><table:table-row><table:table-cell><text:p>x</text:p></table:table-cell>"
        "<table:table-cell><text:p>y</text:p></table:table-cell></table:table-row></table:table>"
    )
    found = read("a.odt", odt(body))
    assert (found.title, found.language) == ("The title", "de-DE")
    assert found.text == (
        "## Chapter\n\nA b\n\n- item\n\n| x | y |\n| --- | --- |\n\n**Notes**\n\n- noted"
    )  # fmt: skip
    page = "<draw:page><draw:frame><text:p>{}</text:p></draw:frame></draw:page>"
    slides = page.format("one") + page.format("two")
    assert read("a.odp", odt(slides, kind="presentation")).text == "one\n\f\ntwo"
    encrypted = odt("", manifest="<m xmlns:x='x'><x:encryption-data/></m>")
    assert refusal("a.odt", encrypted) is Reason.PASSWORD_PROTECTED


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


def test_entities_of_xml_are_read_within_limits() -> None:
    declared = "<!ENTITY c 'Company'><!ENTITY p '<b>Party</b>'><!ENTITY f SYSTEM '/etc/passwd'><!ENTITY lt '&#38;#60;'>"
    text = "<d>&c; &p;&f; 2 &lt; 3</d><d e='&c;'>2</d>"
    assert read("a.xml", f"<!DOCTYPE r [{declared}]><r>{text}</r>".encode()).text == "Company Party 2 < 3\n\n2"
    assert read("a.xml", b"<!DOCTYPE r SYSTEM 'r.dtd'><r>a&nbsp;&mdash;&unknown; b</r>").text == "a \u2014 b"
    assert refusal("a.xml", b"<r>&unknown;</r>") is Reason.DAMAGED
    for each in ("'" + "a" * 501 + "'", "'&b;'"):
        assert refusal("a.xml", f"<!DOCTYPE r [<!ENTITY a {each}>]><r>&a;</r>".encode()) is Reason.UNSUPPORTED
    many = f"<!DOCTYPE r [<!ENTITY a '{'a' * 500}'>]><r>{'&a;' * 2_001}</r>"
    assert refusal("a.xml", many.encode()) is Reason.UNSUPPORTED


def test_spreadsheets() -> None:
    found = read("a.xlsx", xlsx([["Name", "Age"], ["Ann", "3"]], [["x"]]))
    assert found.text == "## Sheet 1\n\n| Name | Age |\n| --- | --- |\n| Ann | 3 |\n\f\n## Sheet 2\n\nx"
    assert refusal("a.xlsx", xlsx([[]])) is Reason.NO_TEXT


def test_spreadsheets_with_white_space_between_their_cells() -> None:
    cells = "".join(
        f"\n <table:table-cell office:value-type='string'><text:p>{text}</text:p>\n </table:table-cell><!-- {text} -->"
        for text in ("Name", "Age > 3")
    )
    rows = f"\n<table:table-row>{cells}\n</table:table-row>\n" * 2
    body = (
        "<office:body>\n<office:spreadsheet>\n"
        f"<table:table table:name='S'>{rows}</table:table>\n</office:spreadsheet></office:body>"
    )
    found = read("a.ods", odt(body, kind="spreadsheet"))
    assert found.text == "## S\n\n| Name | Age > 3 |\n| --- | --- |\n| Name | Age > 3 |"


def test_rows_of_cells_alone_in_rtf() -> None:
    found = read(
        "a.rtf", rb"{\rtf1{\info{\title T}} Before\par One\cell{\b Two}\cell\row 3\cell 4\cell\row\pard After\par}"
    )
    assert found.text == "Before\n\n| One | Two |\n| --- | --- |\n| 3 | 4 |\n\nAfter"


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


def test_mail() -> None:
    raw = (
        b"Subject: =?utf-8?q?Gr=C3=BC=C3=9Fe?=\r\nFrom: Ann <ann@example.com>\r\nTo: bob@example.com\r\n"
        b"Content-Type: multipart/mixed; boundary=x\r\n\r\n--x\r\nContent-Type: multipart/alternative; boundary=y\r\n"
        b"\r\n--y\r\nContent-Type: text/plain; charset=iso-8859-1\r\n\r\ncaf\xe9\r\n--y\r\n"
        b"Content-Type: text/html\r\n\r\n"
        b"<p>cafe</p>\r\n--y--\r\n--x\r\nContent-Type: application/pdf\r\n"
        b"Content-Disposition: attachment; filename=a.pdf\r\n\r\nx\r\n--x--\r\n"
    )
    found = read("a.eml", raw)
    assert found.title == "Grüße"
    assert found.text == (
        "# Grüße\n\nFrom: Ann <ann@example.com>\nTo: bob@example.com\n\ncafé\n\n**Attachments**\n\n- a.pdf"
    )  # fmt: skip


def test_books() -> None:
    book = packed(
        {
            "mimetype": "application/epub+zip",
            "META-INF/container.xml": "<c><rootfile full-path='o/b.opf'/></c>",
            "o/b.opf": "<package xmlns:dc='d'><dc:title>Book</dc:title><dc:language>fr</dc:language>"
            "<item id='2' href='two.html' media-type='application/xhtml+xml'/>"
            "<item id='1' href='one%20.html' media-type='application/xhtml+xml'/>"
            "<itemref idref='1'/><itemref idref='2'/></package>",
            "o/one .html": "<h1>One</h1><p>first</p>",
            "o/two.html": "<h1>Two</h1>",
        }
    )
    found = read("a.epub", book)
    assert (found.title, found.language, found.text) == ("Book", "fr", "# One\n\nfirst\n\n# Two")


@pytest.mark.parametrize(
    ("name", "data", "title", "text"),
    [
        ("a.json", b'[{"id": 1, "in": {"x": ["y"]}}, {"id": 2}]', "", "id: 1\nin:\n  x:\n    - y\n\nid: 2"),
        ("a.json", b"{broken", "", "{broken"),
        ("a.xml", b"<r><title>T</title><d>&lt;p&gt;one &lt;b&gt;two&lt;/b&gt;</d></r>", "T", "## T\n\none two"),
        (
            "a.ipynb",
            json.dumps(
                {"cells": [{"cell_type": "markdown", "source": ["# N\n", "x"]}, {"cell_type": "code", "source": "1+1",
                 "outputs": [{"data": {"text/plain": ["2"]}}]}]}
            ).encode(),
            "N", "# N\nx\n\n```\n1+1\n```\n\n2",
        ),
        ("a.rst", "Caf\xe9\n====\n\nText".encode("utf-16"), "Caf\xe9", "# Caf\xe9\n\nText"),
        ("a.adoc", b"= Title\n\n*a* {b}", "", "= Title\n\n*a* {b}"),
    ],
)  # fmt: skip
def test_kinds_of_text(name: str, data: bytes, title: str, text: str) -> None:
    found = read(name, data)
    assert (found.title, found.text) == (title, text)


@pytest.mark.parametrize(
    ("name", "parts"),
    [
        ("numbers.xls", ["## Sheet1", "| Alpha | Beta | Gamma | Delta |", "\f", "| ColA |"]),
        ("comment.docx", ["# AutoGen: Enabling", "| 13 | 14 | 49e168b7", "**Comments**", "- This is a test comment."]),
        ("notes.pptx", ["## Title Text", "Notes in inherited position", "\f", "Notes in modified position"]),
        ("german-headings.doc", ["Überschriften in nicht", "Verwenden Sie ein Standardniveau"]),
        ("attachment.msg", ["Fake email with attachment", "Lots of whitespace"]),
    ],
)
def test_files_of_other_programs(name: str, parts: list[str]) -> None:
    text = read(name, (FILES / name).read_bytes()).text
    places = [text.find(part) for part in parts]
    assert -1 not in places
    assert places == sorted(places)


def test_slides_of_an_older_program_are_read_as_they_were_saved_last() -> None:
    reference = ppt_record(0x0F9E, bytes(4))
    slides = [[ppt_text("Body\vof one"), reference], [], [ppt_text("Third", 0), ppt_text("Text\rof three")]]
    found = read("a.ppt", ppt(slides, {2: "Say this."}))
    assert found.text == (
        "## The outline's title\n\nBody\nof one\n\f\n\n\f\n## Third\n\nText\nof three\n\n**Notes**\n\n- Say this."
    )
    assert found.title == "The outline's title"
    damaged = ppt(slides, {}).replace(ppt_record(0x0FF5, b"")[2:4], b"\0\0")
    assert "Deleted" in read("a.ppt", damaged).text


def test_rtf() -> None:
    found = read("a.rtf", rb"{\rtf1\ansi{\b Bold} and \'fc{\*\generator x;}\par next}")
    assert found.text.split() == ["Bold", "and", "ü", "next"] or "**Bold** and ü" in found.text


def test_what_a_file_is_tell_its_bytes() -> None:
    assert read("a.docx", pdf([(10, "A page")])).text == "A page"
    assert read("a.pdf", xlsx([["a", "b"]])).text.startswith("## Sheet 1")
    assert read("a.xls", b"<html><table><tr><td>a<td>b</table>").text == "a | b"


def test_only_text_processes_load_the_libraries() -> None:
    modules = "partywall.features.documents.file_reader, partywall.features.documents.file_router"
    libraries = {"pypdfium2", "kreuzberg", "python_calamine", "charset_normalizer"}
    code = f"import sys, {modules}; print(sorted({libraries} & set(sys.modules)))"
    assert subprocess.check_output([sys.executable, "-I", "-c", code]) == b"[]\n"


def test_a_text_process_loads_no_other_feature() -> None:
    code = "import sys, partywall.features.documents.readers.process; print('sqlalchemy' in sys.modules)"
    assert subprocess.check_output([sys.executable, "-I", "-c", code]) == b"False\n"


def test_a_tables_heading_is_as_wide_as_the_table() -> None:
    """A narrower one makes no table."""
    assert table([["Prices", ""], [], ["a", "", "b"]]) == "| Prices |  |\n| --- | --- |\n| a | b |"
